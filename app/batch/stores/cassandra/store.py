"""The store itself: the steps of a run."""
# ruff: noqa: S608 - the names of tables and columns are our own

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from app.batch.errors import BatchError, StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run, Stored
from app.batch.stores.cassandra.held import count
from app.batch.stores.cassandra.load import Load, Written, write_events
from app.batch.stores.cassandra.schema import RUNS, TABLES
from app.batch.stores.cassandra.session import Session
from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.state import State, read_live
from app.batch.tasks import SparkTasks, Tasks
from app.events.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_ATTEMPTS: Final = 3
_DAY_SECONDS: Final = 86_400


class CassandraStore:
    """A store in Cassandra. One run at a time writes to it; anybody may read meanwhile."""

    def __init__(self, settings: CassandraSettings) -> None:
        """Use a cluster; nothing is connected yet."""
        self._settings = settings
        self._session = Session(settings)
        self._run: Run | None = None
        self._state: State | None = None
        self._slot = ""
        self._written: Written | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """A store by environment variables: `CassandraSettings.from_environment`. Raises SettingsError."""
        return cls(CassandraSettings.from_environment(environment))

    def open(self, run: Run) -> None:
        """Lock, bring the tables to this program's version, and empty the slot that readers do not see."""
        self._run, self._written = run, None
        self._state = State(self._session, run.id)
        self._state.lock()
        self._state.migrate()
        live = read_live(self._session)
        if live.slot:  # a run may have been killed after it showed it
            self._set_up(live.slot, {}, compacts=True)
        self._slot = live.other_slot
        for table in TABLES.values():
            self._session.ask(f"TRUNCATE {table.of(self._slot)}")
        # Files are put together once, after the load, and not again and again beside it.
        seconds = self._settings.ttl_days * _DAY_SECONDS
        self._set_up(self._slot, {"default_time_to_live": seconds}, compacts=False)

    def write_events(self, spark: "SparkSession", ingested: Ingested) -> Stored:
        """Write all rows from the executors, again where the servers lost some of them."""
        return self.write(SparkTasks(spark.sparkContext), ingested)

    def write(self, tasks: Tasks, ingested: Ingested) -> Stored:
        """Do what `write_events` says, with tasks that may run elsewhere than in Spark."""
        load = Load(self._settings, self._slot, ingested.folder)
        for _ in range(_ATTEMPTS):
            self._locked.check()
            written = write_events(tasks, load, ingested)
            held = count(self._session, self._slot, written)
            if held == written:
                self._written = written
                return Stored(held.visit_events, held.bad_events)
            _log.warning("Cassandra holds %s but %s was written; it is written again", held, written)
        raise StoreError(
            f"Cassandra at {self._settings.address} lost what was written to it, {_ATTEMPTS} times: {held} of "
            f"{written}. Look at its log. What it showed before is still there"
        )

    def write_answer(self, question: str, answer: pa.Table) -> None:
        """Nothing: answers are for stores of tables."""

    def write_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: Mapping[str, str]) -> None:
        """Write the run with its ledger, and the first and the last day of its events."""
        run = self._running
        days = [name.removeprefix("event_date=") for name in ingested.folder.below("events").names()]
        values = {
            "run": run.id,
            "slot": self._slot,
            "started_at": run.started_at,
            "finished_at": datetime.now(UTC),
            "first_day": date.fromisoformat(min(days)) if days else None,
            "last_day": date.fromisoformat(max(days)) if days else None,
            **asdict(ledger),
            "not_loaded": dict(not_loaded),
        }
        marks = ", ".join(["%s"] * len(values))
        self._session.ask(f"INSERT INTO {RUNS} ({', '.join(values)}) VALUES ({marks})", list(values.values()))

    def verify(self, ledger: Ledger) -> None:
        """Compare what the servers counted in each table with the ledger, and read the ledger back."""
        if self._written is None:
            raise BatchError("no events were written")
        self._locked.check()
        held = self._written
        rows = self._session.ask(
            f"SELECT read, stored, duplicates, bad FROM {RUNS} WHERE run = %s", (self._running.id,)
        )
        kept = Ledger(**rows[0]) if rows else None
        if kept != ledger or (held.visit_events, held.product_events, held.bad_events) != (
            ledger.stored,
            ledger.stored,
            ledger.bad,
        ):
            raise LedgerError(
                f"Cassandra at {self._settings.address} holds {held} and the ledger {kept}, but the run's ledger is "
                f"{ledger}"
            )

    def commit(self) -> None:
        """Show the run's slot, all at once, by one light-weight transaction."""
        self._locked.show(self._slot)
        try:
            self._set_up(self._slot, {}, compacts=True)
        except StoreError as error:
            _log.warning("Cassandra does not compact the tables before the next load: %s", error)

    def close(self) -> None:
        """Unlock; the slot that is not shown is emptied by the next run."""
        if self._state is not None:
            self._state.release()
            self._state = self._run = None
        self._session.close()

    @property
    def _running(self) -> Run:
        if self._run is None:
            raise BatchError("the store is not open")
        return self._run

    @property
    def _locked(self) -> State:
        if self._state is None:
            raise BatchError("the store is not open")
        return self._state

    def _set_up(self, slot: str, options: Mapping[str, object], *, compacts: bool) -> None:
        """Give the tables of a slot these options, and say whether the servers put their files together."""
        for table in TABLES.values():
            name = table.of(slot)
            (now,) = self._session.ask(
                f"SELECT {', '.join(['compaction', *options])} FROM system_schema.tables "
                "WHERE keyspace_name = %s AND table_name = %s",
                (self._settings.keyspace, name),
            )
            compaction = dict(now["compaction"]) | {"enabled": str(compacts).lower()}
            wanted = {"compaction": compaction, **options}
            if {"compaction": {"enabled": "true", **now["compaction"]}, **{key: now[key] for key in options}} != wanted:
                changes = " AND ".join(f"{key} = {value}" for key, value in wanted.items())
                self._session.ask(f"ALTER TABLE {name} WITH {changes}")
