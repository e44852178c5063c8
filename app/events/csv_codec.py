"""The CSV codec: blocks of raw rows become events and bad events, none lost.

A row is what stands between two line feeds (LF or CRLF; the last may be missing). Canonical rows, nearly all of
them, are read as columns at once; the others one by one. One bad row never costs a good one.

    >>> block = b"2019-10-01 00:00:00 UTC,view,1,2,,apple,9.90,3,s\\nnonsense\\n"
    >>> decoded = decode(block, source="example.csv")
    >>> decoded.rows, len(decoded.events), decoded.bad.column("reason").to_pylist()
    (2, 1, ['missing_columns'])
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.events.csv_columns import category_levels, read_canonical
from app.events.csv_row import BadRowError, Row, read_row
from app.events.identity import canonical_row, event_ids
from app.events.schema import BAD_EVENTS, EVENT_LOG, EVENTS, MAX_ROW_BYTES, PROVENANCE, RAW_COLUMNS

BOM: Final = b"\xef\xbb\xbf"
HEADER: Final = ",".join(RAW_COLUMNS).encode()
_SPECIAL: Final = (b'"', b"\r", BOM)
_SOURCE, _SOURCE_ROW, _INGEST_TIME = PROVENANCE
LOCATED_EVENTS: Final = pa.schema([*EVENTS, _SOURCE, _SOURCE_ROW])
LOCATED_BAD_EVENTS: Final = pa.schema([field for field in BAD_EVENTS if field.name != _INGEST_TIME.name])


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
    rows: list[bytes] = []
    counts: list[int] = []
    for block in blocks:
        part = split_rows(block.data, may_have_header=block.may_have_header)
        rows += part
        counts.append(len(part))
    numbers = _numbers(blocks, counts)
    sources = pa.DictionaryArray.from_arrays(
        pa.array(np.repeat(np.arange(len(blocks), dtype=np.int32), counts)),
        pa.array([block.source for block in blocks], pa.string()),
    )
    simple = _simple(rows)
    plain = rows if len(simple) == len(rows) else [rows[i] for i in simple.tolist()]
    events, index = read_canonical(plain)
    index = simple[index]
    if len(index) < len(rows):
        rest = np.setdiff1d(np.arange(len(rows)), index, assume_unique=True)
        others, other_index, faults = _read_rows(rows, rest.tolist())
        if other_index:
            index = np.concatenate([index, np.array(other_index, np.int64)])
            order = np.argsort(index, kind="stable")
            joined = pa.Table.from_batches([events, others]).combine_chunks().to_batches()[0]
            events, index = joined.take(pa.array(order)), index[order]
    else:
        faults = {}
    at = pa.array(index)
    bad_at = pa.array(list(faults), pa.int64())
    return Decoded(
        rows=len(rows),
        events=pa.RecordBatch.from_arrays(
            [*events.columns, sources.take(at).dictionary_decode(), numbers.take(at)], schema=LOCATED_EVENTS
        ),
        bad=pa.RecordBatch.from_arrays(
            [
                pa.array([fault.reason.value for fault in faults.values()], pa.string()),
                pa.array([fault.field for fault in faults.values()], pa.string()),
                pa.array([rows[i] for i in faults], pa.binary()),
                sources.take(bad_at).dictionary_decode(),
                numbers.take(bad_at),
            ],
            schema=LOCATED_BAD_EVENTS,
        ),
        text=rows,
        event_index=index,
    )


def stored(located: pa.RecordBatch, ingest_time: int) -> pa.RecordBatch:
    """Events or bad events as the logs keep them: `ingest_time` (microseconds since the epoch) added."""
    schema = EVENT_LOG if located.schema.names == LOCATED_EVENTS.names else BAD_EVENTS
    times = pa.array(np.full(len(located), ingest_time, np.int64)).view(_INGEST_TIME.type)
    return pa.RecordBatch.from_arrays([*located.columns, times], schema=schema)


def split_rows(data: bytes, *, may_have_header: bool = False) -> list[bytes]:
    """The rows of a block, without end of line; a byte order mark and a header are left out where there may be some."""
    if may_have_header and data.startswith(BOM):
        data = data[len(BOM) :]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    rows = data.split(b"\n")
    # What stands behind the last line feed is a row unless it is nothing at all.
    last = rows.pop()
    if last:
        rows.append(last.removesuffix(b"\r"))
    return rows[1:] if may_have_header and rows and rows[0] == HEADER else rows


def _numbers(blocks: Sequence[Block], counts: Sequence[int]) -> pa.Int64Array:
    """The row number of each row: counted from its block's first row."""
    starts = np.cumsum([0, *counts[:-1]])
    shift = np.array([block.first_row for block in blocks], np.int64) - starts
    return pa.array(np.arange(sum(counts), dtype=np.int64) + np.repeat(shift, counts))


def _simple(rows: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Indices of the rows that the columnar reader takes: not empty, not too long, UTF-8, no quote, line break or
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


def _read_rows(rows: Sequence[bytes], index: Sequence[int]) -> tuple[pa.RecordBatch, list[int], dict[int, BadRowError]]:
    """Events, their indices, and faults by index of the rows at `index`, read one by one."""
    good: list[Row] = []
    good_index: list[int] = []
    faults: dict[int, BadRowError] = {}
    for i in index:
        try:
            good.append(read_row(rows[i]))
            good_index.append(i)
        except BadRowError as fault:
            faults[i] = fault
    return _events(good), good_index, faults


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
