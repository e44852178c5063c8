"""Parts: what a task makes of a split. Runs in Spark's executors.

A part is up to `PART_BYTES` of raw rows of one split (a plain file's split is one part, a gzip file has many). Its
events go to Parquet straight from here, by day and by shares of sessions, without a way through the JVM:

    events/event_date=2019-10-01/part-00007-0000.parquet
    raw_bad_events/part-00007-0000.parquet     source_row counted within the part
    ids/part-00007-0000.ids                    to find the same event in other parts

Repeats of an event within the part are left out at once: identical rows are neighbours, as a rule. Repeats of other
parts' events are left out later (`repeats.py`), and kept aside: the other part may be replaced one day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.event_ids import Ids, write_ids
from app.batch.folder import Folder
from app.batch.session_shares import SHARES, hashes_of, shares_of, write_shares
from app.batch.splits import Split, blocks_of
from app.events.csv_codec import LOCATED_BAD_EVENTS, Block, decode_blocks, stored
from app.events.schema import BAD_EVENTS, EVENTS
from app.events.time_bounds import TimeBounds

PART_BYTES: Final = 64 << 20
"""Raw rows in memory at a time; with their columns about four times as much."""
_BLOCK_BYTES: Final = 2 << 20
_BLOCK_ROWS: Final = 50_000
_DAY_MICROSECONDS: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Part:
    """What became of the rows of a part: `rows == events + duplicates + repeats + bad`, each counted by itself."""

    split: int
    number: int
    source: int
    rows: int
    """Rows as the reader counts them, by their ends of line."""
    events: int
    duplicates: int
    """Rows equal to an earlier one of the part."""
    bad: int
    days: tuple[tuple[str, int], ...]
    """Days (YYYY-MM-DD) and the number of events of each, in the order in which `event_ids` counts events."""
    repeats: int = 0
    """Events of other parts; they are in `repeats_file`."""
    finished: tuple[str, ...] = ()
    """Days whose events are in the `finished_event_file`, without the repeats."""

    @property
    def name(self) -> str:
        """The name of its files, without ending. Names sort as parts do."""
        return f"part-{self.split:05d}-{self.number:04d}"

    def event_file(self, day: str) -> str:
        """The file of its events of one day, below the run's folder."""
        return f"events/event_date={day}/{self.name}.parquet"

    def finished_event_file(self, day: str) -> str:
        """The file that replaces `event_file` where that held repeats of other parts' events."""
        return f"events/event_date={day}/{self.name}-finished.parquet"

    def event_files(self) -> list[str]:
        """The files of its events, below the run's folder, in the order of days."""
        return [self.finished_event_file(day) if day in self.finished else self.event_file(day) for day, _ in self.days]

    @property
    def repeats_file(self) -> str:
        """The file of its events that other parts have too, below the run's folder."""
        return f"repeats/{self.name}.parquet"

    @property
    def raw_bad_file(self) -> str:
        """The file of its bad events with rows counted within the part, below the run's folder."""
        return f"raw_bad_events/{self.name}.parquet"

    @property
    def bad_file(self) -> str:
        """The file of its bad events with rows counted in the source, below the run's folder."""
        return f"bad_events/{self.name}.parquet"

    @property
    def ids_file(self) -> str:
        """The file of its event ids, below the run's folder."""
        return f"ids/{self.name}.ids"


def read_split(split: Split, folder: Folder, ingest_time: int, bounds: TimeBounds) -> Iterator[Part]:
    """Read, decode and write a split, one part at a time.

    Args:
        split: what to read.
        folder: the run's staging folder.
        ingest_time: stored with bad events [microseconds since the epoch].
        bounds: which event times are plausible.

    Raises:
        EventFileError: the source cannot be read.
        OSError: the folder cannot be written.
    """
    number = rows = size = 0
    events: list[pa.RecordBatch] = []
    bad: list[pa.RecordBatch] = []
    for block in blocks_of(split, _BLOCK_ROWS, _BLOCK_BYTES):
        decoded = decode_blocks([Block(block.data, split.path, rows + 1, layout=block.layout, bounds=bounds)])
        rows += block.rows
        size += len(block.data)
        events.append(decoded.events.select(EVENTS.names))
        if len(decoded.bad):
            bad.append(decoded.bad)
        if size >= PART_BYTES:
            yield _write(split, number, rows, events, bad, folder, ingest_time)
            number, rows, size, events, bad = number + 1, 0, 0, [], []
    if rows:
        yield _write(split, number, rows, events, bad, folder, ingest_time)


def take_repeats(part: Part, number: int, base: Folder, folder: Folder) -> Iterator[Part]:
    """Make the repeats that an earlier run kept aside a part of their own, the only one of split `number`."""
    repeats = base.read_table(part.repeats_file)
    split = Split(number, part.source, "", 0, None)
    yield _write_events(split, 0, len(repeats), repeats, 0, folder)


def write_ids_again(part: Part, folder: Folder) -> Iterator[int]:
    """Write the ids of a part that an earlier run made, from its events."""
    ids = [folder.read_table(file, ["event_id"]).column("event_id") for file in part.event_files()]
    write_ids(folder, part.ids_file, Ids.of(pa.chunked_array([chunk for column in ids for chunk in column.chunks])))
    yield part.events


def _write(
    split: Split,
    number: int,
    rows: int,
    event_batches: list[pa.RecordBatch],
    bad_batches: list[pa.RecordBatch],
    folder: Folder,
    ingest_time: int,
) -> Part:
    bad = pa.Table.from_batches(bad_batches, LOCATED_BAD_EVENTS)
    events = pa.Table.from_batches(event_batches, EVENTS).combine_chunks()
    part = _write_events(split, number, rows, events, len(bad), folder)
    if part.bad:
        kept = [stored(batch, ingest_time) for batch in bad.to_batches()]
        folder.write_table(part.raw_bad_file, pa.Table.from_batches(kept, BAD_EVENTS))
    return part


def _write_events(split: Split, number: int, rows: int, table: pa.Table, bad: int, folder: Folder) -> Part:
    read = len(table)
    table, days, shares = _in_order(table)
    ids = Ids.of(table.column("event_id"))
    repeats = ids.repeats()
    if len(repeats):
        keep = np.ones(len(table), bool)
        keep[repeats] = False
        table, ids, days, shares = table.filter(pa.array(keep)), ids.keep(keep), days[keep], shares[keep]
    counted, sizes = np.unique(days, return_counts=True)
    names = [date.fromordinal(_EPOCH + day).isoformat() for day in counted.tolist()]
    part = Part(
        split=split.number,
        number=number,
        source=split.source,
        rows=rows,
        events=len(table),
        duplicates=read - len(table),
        bad=bad,
        days=tuple(zip(names, sizes.tolist(), strict=True)),
    )
    begin = 0
    for day, size in part.days:
        write_shares(folder, part.event_file(day), table.slice(begin, size), shares[begin : begin + size])
        begin += size
    if part.events:
        write_ids(folder, part.ids_file, ids)
    return part


def _in_order(table: pa.Table) -> tuple[pa.Table, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The events in the order of their days, those of a day in that of shares; each event's day, and its share."""
    micros = pc.cast(table.column("event_time"), pa.int64()).to_numpy()
    days, shares = np.floor_divide(micros, _DAY_MICROSECONDS), shares_of(hashes_of(table))
    order = np.argsort(days * SHARES + shares, kind="stable")
    return table.take(pa.array(order)), days[order], shares[order]
