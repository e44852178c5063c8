"""A run of the job from event files to committed stores."""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.analytics import FACTS, QUESTIONS
from app.batch.answers import answer_questions, make_facts
from app.batch.errors import BatchError, DiskFullError, SourceError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.progress import Progress
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.staging import staging_folder
from app.batch.stores import Run, Store, Stored
from app.events.files import EventFile, EventFileError, describe, expand
from app.events.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_STAGING: Final = ".staging"
_MIB: Final = 1 << 20
# Of the bytes of plain event files: Parquet twice where it cannot be linked, ids, facts and Spark's shuffles.
_SPACE_NEEDED: Final = 1.0
_GZIP_RATIO: Final = 5


@dataclass(frozen=True)
class Result:
    """What a committed run leaves to say: its ledger and how long each stage took [s]."""

    run: Run
    ledger: Ledger
    seconds: dict[str, float]


def run_batch(settings: Settings, stores: Sequence[Store], progress: Progress) -> Result:
    """Read the events, answer every question, and commit to every store. On an error no store is changed.

    Raises:
        BatchError: see its subclasses for what can happen.
        LedgerError: rows were lost or counted twice.
    """
    run = Run.begin()
    files = _files(settings.events)
    needed = space_needed(files)
    with ExitStack() as stack:
        for store in stores:
            stack.callback(store.close)
            store.open(run)
        staging = settings.staging or str(settings.out.absolute() / _STAGING)
        folder = stack.enter_context(staging_folder(staging, run))
        stack.enter_context(_explained(folder, needed))
        _warn_of_little_space(folder, needed)
        with progress.stage("spark"):
            local_dir = Path(folder.root, "spark") if folder.is_local else Path(tempfile.gettempdir())
            spark = stack.enter_context(spark_session(settings, local_dir))
        ingested = ingest(
            spark,
            files,
            folder,
            split_bytes=settings.split_mb * _MIB,
            ingest_time=run.started_at,
            progress=progress,
        )
        _answer(spark, ingested, settings, stores, progress)
        with progress.stage("stores"):
            ledger = _commit(spark, ingested, stores)
    return Result(run, ledger, progress.seconds)


def space_needed(files: Sequence[EventFile]) -> int:
    """About how many bytes of disk a run takes at its height."""
    return int(sum(file.size * (_GZIP_RATIO if file.is_gzip else 1) for file in files) * _SPACE_NEEDED)


def _files(paths: Sequence[str]) -> list[EventFile]:
    try:
        return [describe(path) for path in expand(paths)]
    except EventFileError as error:
        raise SourceError(str(error)) from error


def _answer(
    spark: "SparkSession", ingested: Ingested, settings: Settings, stores: Sequence[Store], progress: Progress
) -> None:
    with progress.stage("facts", total=len(FACTS)) as advance:
        make_facts(spark, ingested.events(spark), ingested.folder, settings.facts, settings.questions_at_once, advance)
    with progress.stage("questions", total=len(QUESTIONS)) as advance:
        for count, (name, answer) in enumerate(answer_questions(spark, settings.questions_at_once), 1):
            for store in stores:
                store.write_answer(name, answer)
            advance(count)


def _commit(spark: "SparkSession", ingested: Ingested, stores: Sequence[Store]) -> Ledger:
    """Write events and ledgers, and show the run in all stores once each of them holds all of it."""
    ledgers = [_ledger(ingested, store.write_events(spark, ingested)) for store in stores]
    for store, ledger in zip(stores, ledgers, strict=True):
        if ledger != ledgers[0]:
            raise LedgerError(f"stores hold different numbers of rows: {ledgers[0]} and {ledger}")
        store.write_ledger(ledger.check("batch run"), ingested)
        store.verify(ledger)
    for store in stores:
        store.commit()
    return ledgers[0]


def _ledger(ingested: Ingested, stored: Stored) -> Ledger:
    """The reader's count of rows against the store's count of what it holds."""
    return Ledger(ingested.rows, stored.events, ingested.duplicates, stored.bad_events)


def _warn_of_little_space(folder: Folder, needed: int) -> None:
    if not folder.is_local:
        return
    free = shutil.disk_usage(folder.root).free
    if free < needed:
        _log.warning("%s has %s MiB free; the run may need %s MiB", folder.root, free // _MIB, needed // _MIB)


@contextmanager
def _explained(folder: Folder, needed: int) -> Iterator[None]:
    """Say of a full disk where it is and what is needed, also where only Spark's JVM knows of it."""
    advice = (
        f"The disk of {folder.root} is full. This run needs about {max(needed // _MIB, 1):,} MiB there; free some "
        "space, or give another folder with --out or --staging. The store is as it was before"
    )
    try:
        yield
    except DiskFullError as error:
        raise DiskFullError(f"{advice} ({error})") from error
    except BatchError:
        raise
    except Exception as error:
        if "No space left on device" in str(error):
            raise DiskFullError(advice) from error
        raise
