"""Event files become events: read, decoded, without repeats, as Parquet in a staging folder.

Files that an earlier run read are not read again: its parts are taken over, and what is new alone goes through the
steps. Every step runs in Spark's executors; the driver gets counts only.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from app.batch.base import Base, Source
from app.batch.folder import Folder
from app.batch.parts import Part, read_split, take_repeats, write_ids_again
from app.batch.progress import Progress
from app.batch.repeats import Finish, find_repeats, finish_part, plan_shares
from app.batch.splits import plan_splits
from app.batch.tasks import Tasks
from app.events.dialects import spark_ddl
from app.events.files import EventFile
from app.events.schema import BAD_EVENTS, EVENTS
from app.events.time_bounds import DEFAULT_DAYS, PlausibleDays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

STORED_EVENTS: Final = pa.schema([*EVENTS, pa.field("event_date", pa.date32(), nullable=False)])
"""An event as Parquet keeps it: the day is in the name of its folder."""


@dataclass(frozen=True)
class SourceCounts:
    """What became of the rows of one event file; repeats in other files count where they are."""

    path: str
    size: int
    rows: int
    events: int
    duplicates: int
    bad: int


@dataclass(frozen=True)
class Ingested:
    """The events and bad events of a run in its staging folder, and the counts of where each row went.

    `folder` holds `events/event_date=YYYY-MM-DD/*.parquet` and `bad_events/*.parquet`, either perhaps empty: all of
    the run, whether its files were read in this run or before.
    """

    folder: Folder
    sources: tuple[SourceCounts, ...]
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        """Rows read, as the reader counted them."""
        return sum(source.rows for source in self.sources)

    @property
    def duplicates(self) -> int:
        """Rows equal to an event that stays."""
        return sum(source.duplicates for source in self.sources)

    def events(self, spark: "SparkSession") -> "DataFrame":
        """The events, each once; columns of `STORED_EVENTS`."""
        return read_parquet(
            spark, STORED_EVENTS, self.folder.path("events"), is_empty=not any(source.events for source in self.sources)
        )

    def bad_events(self, spark: "SparkSession") -> "DataFrame":
        """The bad events; columns of `BAD_EVENTS`."""
        return read_parquet(
            spark, BAD_EVENTS, self.folder.path("bad_events"), is_empty=not any(source.bad for source in self.sources)
        )


def ingest(
    tasks: Tasks,
    files: Sequence[EventFile],
    folder: Folder,
    *,
    split_bytes: int,
    ingest_time: datetime,
    progress: Progress,
    base: Base | None = None,
    replaced: Collection[str] = (),
    plausible: PlausibleDays = DEFAULT_DAYS,
) -> Ingested:
    """Read event files into a staging folder, on top of those of `base` but for the `replaced` ones (paths).

    A file of the same path as one of the base replaces it. What `plausible` says holds for the files that are read.

    Raises:
        SourceError: a file cannot be read.
        DiskFullError: no space is left in the folder.
    """
    folder.make("events", "bad_events")
    taken_over = _TakenOver.of(base, {*replaced, *(file.path for file in files)})
    first = max((part.split for part in taken_over.old), default=-1) + 1
    places = len(taken_over.sources)
    taken_over.link(folder)
    micros = int(ingest_time.timestamp() * 1_000_000)
    with progress.stage("reading", unit="rows") as advance:
        found_again = tasks.run(
            lambda numbered: take_repeats(numbered[1], numbered[0], taken_over.folder, folder),
            list(enumerate(taken_over.with_repeats, first)),
        )
        first += len(found_again)
        splits = [
            replace(split, number=first + split.number, source=places + split.source)
            for split in plan_splits(files, split_bytes)
        ]
        read = partial(read_split, folder=folder, ingest_time=micros, bounds=plausible.at(micros))
        parts = found_again + tasks.run(read, splits, lambda part: part.rows, advance)
    with progress.stage("duplicates"):
        parts = _leave_out_repeats(tasks, taken_over.parts, parts, folder)
    sources = (*taken_over.sources, *(Source(file.path, file.size) for file in files))
    every = (*taken_over.parts, *parts)
    return Ingested(folder, tuple(_counts(sources, every)), every)


@dataclass(frozen=True)
class _TakenOver:
    """What a run has from its base: `parts` of `sources` that it keeps."""

    folder: Folder
    old: tuple[Part, ...]
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    with_repeats: tuple[Part, ...]
    """Parts whose repeats may be the only ones left of an event."""

    @classmethod
    def of(cls, base: Base | None, replaced: Collection[str]) -> "_TakenOver":
        if base is None:
            return cls(Folder(""), (), (), (), ())
        stay = [place for place, source in enumerate(base.sources) if source.path not in replaced]
        kept = [replace(part, source=stay.index(part.source)) for part in base.parts if part.source in stay]
        gone = [part for part in base.parts if part.source not in stay]
        with_repeats = [part for part in kept if part.repeats] if gone else []
        if gone:
            kept = [replace(part, rows=part.rows - part.repeats, repeats=0) for part in kept]
        return cls(
            Folder(base.folder),
            base.parts,
            tuple(base.sources[place] for place in stay),
            tuple(kept),
            tuple(with_repeats),
        )

    def link(self, folder: Folder) -> None:
        """Have the files in the run's folder too."""
        folder.take({file: self.folder.path(file) for part in self.parts for file in _files(part)})


def _files(part: Part) -> Iterator[str]:
    """All files of a part that a base keeps."""
    yield from part.event_files()
    if part.bad:
        yield part.bad_file
    if part.repeats:
        yield part.repeats_file


def _leave_out_repeats(tasks: Tasks, before: Sequence[Part], parts: Sequence[Part], folder: Folder) -> list[Part]:
    """Finish the parts: leave out what is in the finished ones `before` them, or in an earlier one of them."""
    new = [i for i, part in enumerate(parts) if part.events]
    if not new:
        shares = []
        known: list[Part] = []
    else:
        known = [part for part in before if part.events]
        tasks.run(partial(write_ids_again, folder=folder), known)
        shares = plan_shares(sum(part.events for part in (*known, *parts)), tasks.at_once)
    own = [*known, *(parts[i] for i in new)]
    found = tasks.run(lambda share: [find_repeats(share, own, folder)], shares)
    shares_of: dict[int, list[int]] = {}
    for share, counts in zip(shares, found, strict=True):
        for place in counts:
            shares_of.setdefault(new[place - len(known)], []).append(share.number)
    offsets = _rows_before(parts)
    todo = {
        i: Finish(part, offsets[i], tuple(shares_of.get(i, ())))
        for i, part in enumerate(parts)
        if part.bad or i in shares_of
    }
    finished = tasks.run(lambda finish: [finish_part(finish, folder)], list(todo.values()))
    return [*(dict(enumerate(parts)) | dict(zip(todo, finished, strict=True))).values()]


def _counts(sources: Sequence[Source], parts: Sequence[Part]) -> Iterator[SourceCounts]:
    for index, source in enumerate(sources):
        own = [part for part in parts if part.source == index]
        yield SourceCounts(
            path=source.path,
            size=source.size,
            rows=sum(part.rows for part in own),
            events=sum(part.events for part in own),
            duplicates=sum(part.duplicates + part.repeats for part in own),
            bad=sum(part.bad for part in own),
        )


def _rows_before(parts: Sequence[Part]) -> list[int]:
    """The number of rows of its source that come before each part."""
    seen: dict[int, int] = {}
    before = []
    for part in parts:
        before.append(seen.get(part.source, 0))
        seen[part.source] = before[-1] + part.rows
    return before


def read_parquet(spark: "SparkSession", schema: pa.Schema, path: str, *, is_empty: bool) -> "DataFrame":
    """The Parquet files in a folder, which in Cloud Storage is not there where it is empty."""
    ddl = spark_ddl(schema)
    return spark.createDataFrame([], ddl) if is_empty else spark.read.schema(ddl).parquet(path)
