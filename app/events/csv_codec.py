"""The CSV codec: blocks of raw rows become events and bad events, none lost.

A row is what stands between two line feeds (LF or CRLF; the last may be missing). Canonical rows, nearly all of
them, are read as columns at once; the others one by one. One bad row never costs a good one.

    >>> block = b"2019-10-01 00:00:00 UTC,view,1,2,,apple,9.90,3,s\\nnonsense\\n"
    >>> decoded = decode(block, source="example.csv")
    >>> decoded.rows, len(decoded.events), decoded.bad.column("reason").to_pylist()
    (2, 1, ['missing_columns'])
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.events.byte_streams import BOM
from app.events.csv_columns import category_levels, read_canonical
from app.events.csv_row import BadRowError, Row, read_row
from app.events.identity import canonical_row, event_ids
from app.events.layout import CANONICAL, HeaderError, Layout, read_header
from app.events.respelling import respelled
from app.events.schema import BAD_EVENTS, EVENT_LOG, EVENTS, MAX_ROW_BYTES, PROVENANCE, RAW_COLUMNS
from app.events.time_bounds import ANY_TIME, TimeBounds

HEADER: Final = ",".join(RAW_COLUMNS).encode()
# pyarrow before 26.0.1 loses the delimiter behind a NUL (apache/arrow#50481).
_SPECIAL: Final = (b'"', b"\r", b"\0", BOM)
_SOURCE, _SOURCE_ROW, _INGEST_TIME = PROVENANCE
LOCATED_EVENTS: Final = pa.schema([*EVENTS, _SOURCE, _SOURCE_ROW])
LOCATED_BAD_EVENTS: Final = pa.schema([field for field in BAD_EVENTS if field.name != _INGEST_TIME.name])


_MANY: Final = 64
"""Rows for which it pays to start the columnar reader once more."""
_Found = tuple[pa.RecordBatch, npt.NDArray[np.int64]]
"""Events, and the indices of their rows."""


@dataclass(frozen=True)
class Block:
    """Raw rows as they were read: bytes, where they come from, and the number of the first of them.

    `may_have_header` says that the block begins a file as it stands, so that neither a byte order mark in front of it
    belongs to a row nor a header is one.
    """

    data: bytes
    source: str
    first_row: int = 1
    may_have_header: bool = False
    layout: Layout = CANONICAL
    """The order of its columns, where it has no header of its own."""
    bounds: TimeBounds = ANY_TIME
    """Which event times are plausible."""


@dataclass(frozen=True)
class Decoded:
    """What a block holds: `rows == len(events) + len(bad)`, each with its source and row number, in row order."""

    rows: int
    events: pa.RecordBatch
    """Columns of `LOCATED_EVENTS`."""
    bad: pa.RecordBatch
    """Columns of `LOCATED_BAD_EVENTS`."""
    text: "Sequence[bytes]"
    """The rows as received, without end of line, in row order."""
    event_index: npt.NDArray[np.int64]
    """The index in `text` of each event."""


def decode(data: bytes, *, source: str, first_row: int = 1) -> Decoded:
    """Decode one block; a header in front of row 1 is recognised and is no row."""
    return decode_blocks([Block(data, source, first_row, may_have_header=first_row == 1)])


def decode_blocks(blocks: Sequence[Block]) -> Decoded:
    """Decode several blocks together, which costs far less than one by one when they are small."""
    read = _Read.of(blocks)
    events, index = _canonical(read)
    if len(index) < len(read.rows):
        events, index = _joined((events, index), _others(read, index))
    numbers = _numbers(blocks, read.counts)
    sources = pa.DictionaryArray.from_arrays(
        pa.array(read.block_of_row), pa.array([block.source for block in blocks], pa.string())
    )
    at = pa.array(index)
    faults = dict(sorted(read.faults.items()))
    bad_at = pa.array(list(faults), pa.int64())
    return Decoded(
        rows=len(read.rows),
        events=pa.RecordBatch.from_arrays(
            [*events.columns, sources.take(at).dictionary_decode(), numbers.take(at)], schema=LOCATED_EVENTS
        ),
        bad=pa.RecordBatch.from_arrays(
            [
                pa.array([fault.reason.value for fault in faults.values()], pa.string()),
                pa.array([fault.field for fault in faults.values()], pa.string()),
                pa.array([read.received[i] for i in faults], pa.binary()),
                sources.take(bad_at).dictionary_decode(),
                numbers.take(bad_at),
            ],
            schema=LOCATED_BAD_EVENTS,
        ),
        text=read.rows,
        event_index=index,
    )


@dataclass(frozen=True)
class _Read:
    """The rows of blocks, and what is known of them: `faults` has those that are bad, by their index."""

    blocks: Sequence[Block]
    received: list[bytes]
    rows: list[bytes]
    """In canonical order; as received where that cannot be."""
    counts: list[int]
    faults: dict[int, BadRowError]
    block_of_row: npt.NDArray[np.int32]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "_Read":
        received: list[bytes] = []
        counts: list[int] = []
        layouts: list[Layout] = []
        for block in blocks:
            layout, part = _rows_of(block)
            received += part
            counts.append(len(part))
            layouts.append(layout)
        faults: dict[int, BadRowError] = {}
        rows = received if all(layout is CANONICAL for layout in layouts) else list(received)
        begin = 0
        for layout, count in zip(layouts, counts, strict=True):
            if layout is not CANONICAL:
                for i in range(begin, begin + count):
                    try:
                        rows[i] = layout.canonical_row(received[i])
                    except BadRowError as fault:
                        faults[i] = fault
            begin += count
        block_of_row = np.repeat(np.arange(len(blocks), dtype=np.int32), counts)
        return cls(blocks, received, rows, counts, faults, block_of_row)

    def plausible(self, times: npt.NDArray[np.int64], index: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each time is within the bounds of the block of its row."""
        earliest = np.array([block.bounds.earliest for block in self.blocks], np.int64)
        latest = np.array([block.bounds.latest for block in self.blocks], np.int64)
        if not len(times) or (times.min() >= earliest.max() and times.max() < latest.min()):
            return np.ones(len(times), bool)
        at = self.block_of_row[index]
        within: npt.NDArray[np.bool_] = (times >= earliest[at]) & (times < latest[at])
        return within


def _canonical(read: _Read) -> _Found:
    """The events that the columnar reader finds, and their rows' indices."""
    simple = _simple(read.rows)
    if read.faults:
        simple = np.setdiff1d(simple, list(read.faults), assume_unique=True)
    rows = read.rows
    found = _plausible(read, rows if len(simple) == len(rows) else [rows[i] for i in simple.tolist()], simple)
    rest = np.setdiff1d(simple, found[1], assume_unique=True) if len(found[1]) < len(simple) else simple[:0]
    if len(rest) < _MANY:
        return found
    spelled = {i: row for i in rest.tolist() if (row := respelled(rows[i])) is not None}
    return _joined(found, _plausible(read, list(spelled.values()), np.array(list(spelled), np.int64)))


def _plausible(read: _Read, rows: Sequence[bytes], at: npt.NDArray[np.int64]) -> _Found:
    """The plausible events of canonical rows, which have the indices `at`."""
    events, index = read_canonical(rows)
    index = at[index]
    keep = read.plausible(events.column("event_time").view(pa.int64()).to_numpy(), index)
    return (events, index) if keep.all() else (events.filter(pa.array(keep)), index[keep])


def _joined(first: _Found, second: _Found) -> _Found:
    """Both, in the order of rows."""
    if not len(second[1]):
        return first
    index = np.concatenate([first[1], second[1]])
    order = np.argsort(index, kind="stable")
    events = pa.Table.from_batches([first[0], second[0]]).combine_chunks().to_batches()[0]
    return events.take(pa.array(order)), index[order]


def _others(read: _Read, index: npt.NDArray[np.int64]) -> _Found:
    """Events among the rows that are not at `index`, read one by one, and their indices. Faults go to `read.faults`."""
    good: list[Row] = []
    good_index: list[int] = []
    for i in np.setdiff1d(np.arange(len(read.rows)), index, assume_unique=True).tolist():
        if i in read.faults:
            continue
        try:
            good.append(read_row(read.rows[i], read.blocks[read.block_of_row[i]].bounds))
            good_index.append(i)
        except BadRowError as fault:
            read.faults[i] = fault
    return _events(good), np.array(good_index, np.int64)


def _rows_of(block: Block) -> tuple[Layout, list[bytes]]:
    """A block's rows, and the layout that they are in."""
    rows = split_rows(block.data, begins_file=block.may_have_header)
    if block.may_have_header and rows:
        # A header that does not name all columns is kept, as a bad row.
        with suppress(HeaderError):
            if layout := read_header(rows[0]):
                return layout, rows[1:]
    return block.layout, rows


def stored(located: pa.RecordBatch, ingest_time: int) -> pa.RecordBatch:
    """Events or bad events as the logs keep them: `ingest_time` (microseconds since the epoch) added."""
    schema = EVENT_LOG if located.schema.names == LOCATED_EVENTS.names else BAD_EVENTS
    times = pa.array(np.full(len(located), ingest_time, np.int64)).view(_INGEST_TIME.type)
    return pa.RecordBatch.from_arrays([*located.columns, times], schema=schema)


def split_rows(data: bytes, *, begins_file: bool = False) -> list[bytes]:
    """The rows of a block, without end of line; where it begins a file, a byte order mark is left out."""
    if begins_file and data.startswith(BOM):
        data = data[len(BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    rows = data.split(b"\n")
    # What stands behind the last line feed is a row unless it is nothing at all.
    last = rows.pop()
    if last:
        rows.append(last.removesuffix(b"\r"))
    return rows


def _numbers(blocks: Sequence[Block], counts: Sequence[int]) -> pa.Int64Array:
    """The row number of each row: counted from its block's first row."""
    starts = np.cumsum([0, *counts[:-1]])
    shift = np.array([block.first_row for block in blocks], np.int64) - starts
    return pa.array(np.arange(sum(counts), dtype=np.int64) + np.repeat(shift, counts))


def _simple(rows: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Indices of the rows that the columnar reader takes: not empty, not too long, UTF-8, no quote, line break, NUL or
    byte order mark (which it would take for that of a file)."""
    text = b"\n".join(rows)
    if _is_utf8(text) and not any(sign in text for sign in _SPECIAL):
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return np.flatnonzero((lengths > 0) & (lengths <= MAX_ROW_BYTES))
    return np.array(
        [
            i
            for i, row in enumerate(rows)
            if row and len(row) <= MAX_ROW_BYTES and not any(sign in row for sign in _SPECIAL) and _is_utf8(row)
        ],
        np.int64,
    )


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _events(rows: Sequence[Row]) -> pa.RecordBatch:
    columns = {
        name: pa.array(values, EVENTS.field(name).type)
        for name, values in zip(RAW_COLUMNS, zip(*rows, strict=True) if rows else [()] * len(RAW_COLUMNS), strict=True)
    }
    levels = category_levels(columns["category_code"].dictionary_encode())
    columns |= dict(zip(("department", "sub_category", "product"), levels, strict=True))
    columns["event_id"] = event_ids(canonical_row(*row) for row in rows)
    columns["zero_price"] = pa.array([row.price == 0 for row in rows], pa.bool_())
    columns["missing_session"] = columns["user_session"].is_null()
    return pa.RecordBatch.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)
