"""Event files become events: read, decoded, without repeats, as Parquet in a staging folder.

Every step runs in Spark's executors; the driver gets counts only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from app.batch.folder import Folder
from app.batch.parts import Part, read_split
from app.batch.progress import Progress
from app.batch.repeats import Finish, find_repeats, finish_part, plan_shares
from app.batch.splits import plan_splits
from app.batch.tasks import run_tasks
from app.events.dialects import spark_ddl
from app.events.files import EventFile
from app.events.schema import BAD_EVENTS, EVENTS

if TYPE_CHECKING:
    from pyspark import SparkContext
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

    `folder` holds `events/event_date=YYYY-MM-DD/*.parquet` and `bad_events/*.parquet`, either perhaps empty.
    """

    folder: Folder
    sources: tuple[SourceCounts, ...]

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
        return spark.read.schema(spark_ddl(STORED_EVENTS)).parquet(self.folder.path("events"))

    def bad_events(self, spark: "SparkSession") -> "DataFrame":
        """The bad events; columns of `BAD_EVENTS`."""
        return spark.read.schema(spark_ddl(BAD_EVENTS)).parquet(self.folder.path("bad_events"))


def ingest(
    spark: "SparkSession",
    files: Sequence[EventFile],
    folder: Folder,
    *,
    split_bytes: int,
    ingest_time: datetime,
    progress: Progress,
) -> Ingested:
    """Read event files into a staging folder.

    Raises:
        SourceError: a file cannot be read.
        DiskFullError: no space is left in the folder.
    """
    folder.make("events", "bad_events")
    context = spark.sparkContext
    micros = int(ingest_time.timestamp() * 1_000_000)
    read = partial(read_split, folder=folder, ingest_time=micros)
    with progress.stage("reading", unit="rows") as advance:
        parts = run_tasks(context, read, plan_splits(files, split_bytes), lambda part: part.rows, advance)
    with progress.stage("duplicates"):
        repeats = _leave_out_repeats(context, parts, folder)
    counts = []
    for index, file in enumerate(files):
        own = [i for i, part in enumerate(parts) if part.source == index]
        moved = sum(repeats[i] for i in own)
        counts.append(
            SourceCounts(
                path=file.path,
                size=file.size,
                rows=sum(parts[i].rows for i in own),
                events=sum(parts[i].events for i in own) - moved,
                duplicates=sum(parts[i].duplicates for i in own) + moved,
                bad=sum(parts[i].bad for i in own),
            )
        )
    return Ingested(folder, tuple(counts))


def _leave_out_repeats(context: "SparkContext", parts: Sequence[Part], folder: Folder) -> list[int]:
    """Finish the parts; the number of repeats that each had."""
    with_events = [i for i, part in enumerate(parts) if part.events]
    shares = plan_shares(sum(part.events for part in parts), context.defaultParallelism) if with_events else []
    own = [parts[i] for i in with_events]
    found = run_tasks(context, lambda share: [find_repeats(share, own, folder)], shares)
    shares_of: dict[int, list[int]] = {}
    for share, counts in zip(shares, found, strict=True):
        for place in counts:
            shares_of.setdefault(with_events[place], []).append(share.number)
    offsets = _rows_before(parts)
    todo = {
        i: Finish(part, offsets[i], tuple(shares_of.get(i, ())))
        for i, part in enumerate(parts)
        if part.bad or i in shares_of
    }
    finished = run_tasks(context, lambda finish: [finish_part(finish, folder)], list(todo.values()))
    repeats = [0] * len(parts)
    for i, count in zip(todo, finished, strict=True):
        repeats[i] = count
    return repeats


def _rows_before(parts: Sequence[Part]) -> list[int]:
    """The number of rows of its source that come before each part."""
    seen: dict[int, int] = {}
    before = []
    for part in parts:
        before.append(seen.get(part.source, 0))
        seen[part.source] = before[-1] + part.rows
    return before
