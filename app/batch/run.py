"""A run of the job from event files to committed stores."""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.analytics import FACTS, QUESTIONS
from app.batch.answers import answer_questions, make_facts, show_facts
from app.batch.base import Base, Source, read_base, write_base
from app.batch.errors import BatchError, DiskFullError, SettingsError, SourceError, StoreBusyError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.loading import Loading, ledger_of, loading
from app.batch.progress import Progress
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.staging import staging_folder
from app.batch.stores import Run, Store
from app.batch.tasks import SparkTasks, Tasks
from app.events.files import EventFile, EventFileError, describe, expand
from app.events.ledger import Ledger
from app.events.time_bounds import PlausibleDays

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_MIB: Final = 1 << 20
_PACKED_RATIO: Final = 5
_EVENT_BYTES: Final = 130
"""Of an event as plain text."""


@dataclass(frozen=True)
class Result:
    """What a committed run leaves to say."""

    run: Run
    ledger: Ledger
    seconds: dict[str, float]
    """How long each stage took."""
    store_seconds: dict[str, float]
    """How long each store took, beside the others and the questions."""
    not_loaded: dict[str, str]
    """The stores that do not hold the run, and why."""
    ledger_failed: bool
    """Whether one of them was found to hold something else than what was written."""


def run_batch(settings: Settings, stores: Mapping[str, Store], progress: Progress) -> Result:
    """Read the events, answer every question, and commit to every store that takes them.

    Raises:
        BatchError: no store was changed; see its subclasses for what can happen.
        LedgerError: rows were lost or counted twice; no store was changed.
    """
    run = Run.begin()
    files = _files(settings.events)
    needed = plain_bytes(files)
    with ExitStack() as stack:
        loads = stack.enter_context(loading(stores, run))
        loads.opened("embedded")  # its lock is that of the base
        base = _base(settings)
        replaced = _replaced(settings, base)
        folder = stack.enter_context(staging_folder(settings.staging_root, run))
        stack.enter_context(_explained(folder, needed))
        _warn_of_little_space(folder, needed)
        with progress.stage("spark"):
            local_dir = Path(folder.root, "spark") if folder.is_local else Path(tempfile.gettempdir())
            kept = sum(part.events for part in base.parts) * _EVENT_BYTES if base and settings.add else 0
            spark = stack.enter_context(spark_session(settings, local_dir, plain_bytes(files) + kept))
        loads.opened()
        tasks = SparkTasks(spark.sparkContext)
        ingested = ingest(
            tasks,
            files,
            folder,
            split_bytes=settings.split_mb * _MIB,
            ingest_time=run.started_at,
            progress=progress,
            base=base if settings.add else None,
            replaced=replaced,
            plausible=PlausibleDays(settings.earliest, settings.latest),
        )
        loads.opened(*stores)
        ledger = ledger_of(ingested)
        _answer(spark, tasks, ingested, settings, loads, progress)
        with progress.stage("stores"):
            loads.finish(ledger, ingested)
            _keep(settings, run, ingested, base)
    return Result(run, ledger, progress.seconds, loads.seconds, loads.not_loaded, loads.ledger_failed)


def plain_bytes(files: Sequence[EventFile]) -> int:
    """About how many bytes the rows of event files are as plain text.

    So many bytes of disk a run takes at its height: Parquet twice where it cannot be linked, ids, facts and Spark's
    shuffles.
    """
    return sum(file.size * (_PACKED_RATIO if file.is_packed else 1) for file in files)


def _files(paths: Sequence[str]) -> list[EventFile]:
    try:
        return [describe(path) for path in expand(paths)]
    except EventFileError as error:
        raise SourceError(str(error)) from error


def _base(settings: Settings) -> Base | None:
    """What the run before keeps."""
    base = read_base(settings.staging_root, _out(settings))
    if settings.add and base is None:
        raise SettingsError(
            f"add: no run before keeps its events in {settings.staging_root}; read all files once with --events"
        )
    return base


def _replaced(settings: Settings, base: Base | None) -> tuple[str, ...]:
    """The sources of the base that the user wants out, as the base names them."""
    known = {source.path for source in base.sources} if base else set()
    paths = tuple(path if path in known or "://" in path else str(Path(path).absolute()) for path in settings.replace)
    if base:
        base.check_replaced(paths)
    return paths


def _out(settings: Settings) -> str:
    return str(settings.out.absolute()) if settings.out and settings.staging else ""


def _keep(settings: Settings, run: Run, ingested: Ingested, before: Base | None) -> None:
    """Make the run's events the base of the next one, in place of those of the run before."""
    now = read_base(settings.staging_root, _out(settings))
    if now != before:
        raise StoreBusyError(f"another run has ended in {settings.staging_root} meanwhile; run again")
    sources = tuple(Source(source.path, source.size) for source in ingested.sources)
    write_base(settings.staging_root, Base(run.id, _out(settings), ingested.folder.root, sources, ingested.parts))
    if before:
        Folder(before.folder).remove()


def _answer(
    spark: "SparkSession", tasks: Tasks, ingested: Ingested, settings: Settings, loads: Loading, progress: Progress
) -> None:
    with progress.stage("facts", total=len(FACTS)) as advance:
        show_facts(spark, ingested, make_facts(tasks, ingested, advance))
    loads.begin_events(spark, ingested)
    with progress.stage("questions", total=len(QUESTIONS)) as advance:
        for count, (name, answer) in enumerate(answer_questions(spark, settings.questions_at_once), 1):
            loads.begin_answer(name, answer)
            advance(count)


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
