"""Stores: where the events and the answers of a run go.

A store takes a run in steps, and shows nothing of it before `commit`:

    open(run) ── write_events ── write_answer (each question) ── write_ledger ── verify ── commit
         └────────────── close, also after an error: the store is as it was before ──────────────┘

`write_ledger` comes once more, even after `verify`, where another store failed meanwhile: the ledger says so. `close`
comes also where `open` was refused, and then leaves alone what another run is writing.

Every step may be run again, in the same run or in a later one after a crash, and leaves the same content: a store
writes under a key that the content gives (event_id, question) or into a place of the run that `commit` swaps in.

A run always has all events, also where it reads only some files that it adds to an earlier run: a store takes all of
them into a new place, and so a day that is added, replaced or taken out needs nothing of its own.

Each store is used by one thread at a time, beside the others. An error of one is no error of the others. Nobody tries
a step again for a store: it has to be patient itself with a server that is away for a moment. Within a Spark task
(`app.batch.tasks`) only BatchError and OSError come back in words.

Text may hold any character, also NUL.

To add a store:

1. Write a module here with these methods and `from_environment()`, which reads addresses and secrets from environment
   variables or files (`variables.py` helps) and raises SettingsError where they are missing.
2. Name it in `STORES` of `registry.py` and in `StoreName` of `app/batch/settings.py`.
3. Put the packages that it needs into the extra `batch` of pyproject.toml, and bring requirements.lock up to date with
   the command in `scripts/_environment.py`.
4. For the tests and the demo: a server in `app/local/` and a read in `app/local/store_reads.py`; what it holds in
   `tests/batch/held.py`, by which the tests of whole jobs run on it too. `tests/batch/test_registry.py` says what of
   these is missing.
5. To deploy it: a container in `infra/containers/`.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, Self

import pyarrow as pa

from app.batch.ingest import Ingested
from app.events.ledger import Ledger

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


RUN_ID: Final = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}")


@dataclass(frozen=True)
class Run:
    """One run of the job. `id` sorts by time and is another one for each run."""

    id: str
    started_at: datetime

    @classmethod
    def begin(cls) -> Self:
        """A run that starts at this moment."""
        now = datetime.now(UTC)
        return cls(f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}", now)


@dataclass(frozen=True)
class Stored:
    """What a store holds of a run, counted in the store, not in what was sent to it."""

    events: int
    bad_events: int


class Store(Protocol):
    """Where a run goes. Errors are BatchError; on any error nothing of the run is to be seen."""

    def open(self, run: Run) -> None:
        """Begin a run, and clear away what an unfinished one left.

        Raises:
            StoreBusyError: another run is writing.
        """

    def write_events(self, spark: "SparkSession", ingested: Ingested) -> Stored:
        """Write events and bad events, from the executors, partition by partition.

        A store takes the Parquet files of `ingested.folder` as they are, or the frames `ingested.events(spark)` and
        `ingested.bad_events(spark)`, or where that is enough the facts, which are there as Parquet files in
        `folder_of(NAME)` of `app.batch.duck_facts` and as views of the names in `app.analytics.FACTS`. Nothing passes
        through the driver.
        """

    def write_answer(self, question: str, answer: pa.Table) -> None:
        """Write the answer to a question: rows in its order, columns of `QUESTIONS[question].schema`."""

    def write_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: Mapping[str, str]) -> None:
        """Write the run's ledger, the counts of each source, and why which other store was not loaded."""

    def verify(self, ledger: Ledger) -> None:
        """Compare what the store now holds for the run with the ledger.

        Raises:
            LedgerError: they differ.
        """

    def commit(self) -> None:
        """Show the run, all at once, in place of the one before."""

    def close(self) -> None:
        """Let go of the store; what was not committed is removed, now or when the next run opens it."""
