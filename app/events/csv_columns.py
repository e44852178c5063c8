"""The columnar reader of canonical rows: a block of rows becomes Arrow columns without a loop over rows.

It accepts a row only where every field is written in the one canonical way (see `app.events.identity`), so that the
row's own bytes are what `event_id` hashes. It reports all other rows by their index, good or bad, for
`app.events.csv_row` to read. So it has no rules of its own: it may refuse a good row, never accept a bad one.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from app.events.decimals import from_cents
from app.events.identity import event_ids
from app.events.schema import EVENT_TYPES, EVENTS, RAW_COLUMNS, TIME
from app.events.times import SECONDS_WIDTH, read_times

_Mask = npt.NDArray[np.bool_]
_TEXT: Final = pa.string()
_CODED: Final = pa.dictionary(pa.int32(), pa.string())
_TYPES: Final = {name: _CODED if name in ("event_type", "category_code", "brand") else _TEXT for name in RAW_COLUMNS}
_CONVERT: Final = pyarrow.csv.ConvertOptions(
    column_types=_TYPES, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False, check_utf8=False
)
_TIME_WIDTH: Final = len("2019-10-01 00:00:00 UTC")
_ZONE: Final = np.frombuffer(b" UTC", np.uint8)


def read_canonical(rows: Sequence[bytes]) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """The events of those rows that are canonical, and these rows' indices in ascending order.

    Args:
        rows: rows without an end of line; none may be empty or hold a quote, a line break or invalid UTF-8.
    """
    table, index = _split(rows)
    for step in (_canonical_words, _canonical_numbers):
        keep = step(table)
        if not keep.all():
            table, index = table.filter(pa.array(keep)), index[keep]
    micros, keep = _times(table.column("event_time"))
    if not keep.all():
        table, index, micros = table.filter(pa.array(keep)), index[keep], micros[keep]
    canonical = rows if len(index) == len(rows) else [rows[i] for i in index.tolist()]
    return _events(table, micros, canonical), index


def _split(rows: Sequence[bytes]) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """The raw columns of the rows that have the right number of columns, and their indices."""
    wrong: list[int] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        return "skip"

    text = b"\n".join(rows) + b"\n"
    table = pyarrow.csv.read_csv(
        pa.BufferReader(text),
        pyarrow.csv.ReadOptions(use_threads=False, column_names=list(RAW_COLUMNS), block_size=len(text) + 1),
        pyarrow.csv.ParseOptions(quote_char=False, invalid_row_handler=skip),
        _CONVERT,
    )
    index = np.delete(np.arange(len(rows)), wrong)
    # Rows can merge and columns too, never split: so these counts prove that each column is what it seems to be.
    commas = np.count_nonzero(np.frombuffer(text, np.uint8) == ord(",")) - sum(rows[i].count(b",") for i in wrong)
    if table.num_rows != len(index) or commas != len(index) * (len(RAW_COLUMNS) - 1):
        return _one_batch(table.slice(0, 0)), index[:0]
    return _one_batch(table), index


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _canonical_words(table: pa.RecordBatch) -> _Mask:
    """Whether the event type is known and the time and numbers are there, by row."""
    event_type = table.column("event_type")
    known = np.isin(event_type.dictionary.to_numpy(zero_copy_only=False), EVENT_TYPES)
    keep: _Mask = known[event_type.indices.fill_null(0).to_numpy()] if len(known) else np.zeros(len(table), bool)
    for name in ("event_time", "event_type", "product_id", "category_id", "price", "user_id"):
        column = table.column(name)
        if column.null_count:
            keep &= column.is_valid().to_numpy(zero_copy_only=False)
    starts, ends, _ = _bytes(table.column("event_time"))
    keep &= ends - starts == _TIME_WIDTH
    return keep


def _canonical_numbers(table: pa.RecordBatch) -> _Mask:
    """Whether the ids are plain positive integers of 64 bits and the price has two places, by row."""
    keep = np.ones(len(table), bool)
    for name in ("product_id", "category_id", "user_id"):
        column = table.column(name)
        starts, _, data = _bytes(column)
        if len(table):
            keep &= (data[starts] >= ord("1")) & (data[starts] <= ord("9"))
        keep &= _castable(column, pa.int64(), r"^([1-9][0-9]{0,17}|[1-8][0-9]{18})$")
    price = table.column("price")
    keep &= _castable(price, pa.float64(), r"^[0-9]{1,10}\.[0-9]{2}$")
    starts, ends, data = _bytes(price)
    if len(table):
        length = ends - starts
        first, point, tenth, hundredth = (data[np.maximum(at, 0)] for at in (starts, ends - 3, ends - 2, ends - 1))
        keep &= (length >= 4) & (length <= 13) & (point == ord(".")) & _digit(first) & _digit(tenth) & _digit(hundredth)
        keep &= (first != ord("0")) | (length == 4)
    return keep


def _castable(column: pa.StringArray, to: pa.DataType, safe: str) -> _Mask:
    """Whether a text casts to a number: all where the whole column does, else those that match a safe pattern."""
    try:
        pc.cast(column, to)
    except pa.ArrowInvalid:
        matches: _Mask = pc.match_substring_regex(column, safe).to_numpy(zero_copy_only=False)
        return matches
    return np.ones(len(column), bool)


def _times(column: pa.StringArray) -> tuple[npt.NDArray[np.int64], _Mask]:
    """Microseconds since the epoch of times of 23 bytes, and whether each is a time of the calendar."""
    starts, ends, data = _bytes(column)
    text = data[starts[0] : ends[-1]].reshape(-1, _TIME_WIDTH) if len(column) else np.zeros((0, _TIME_WIDTH), np.uint8)
    micros, keep = read_times(text)
    return micros, keep & (text[:, SECONDS_WIDTH:] == _ZONE).all(axis=1)


def _events(table: pa.RecordBatch, micros: npt.NDArray[np.int64], canonical: Sequence[bytes]) -> pa.RecordBatch:
    cents = np.rint(pc.cast(table.column("price"), pa.float64()).to_numpy(zero_copy_only=False) * 100).astype(np.int64)
    category_code, session = table.column("category_code"), table.column("user_session")
    department, sub_category, product = category_levels(category_code)
    columns = {
        "event_id": event_ids(canonical),
        "event_time": pa.array(micros).view(TIME),
        "event_type": table.column("event_type").dictionary_decode(),
        "product_id": pc.cast(table.column("product_id"), pa.int64()),
        "category_id": pc.cast(table.column("category_id"), pa.int64()),
        "category_code": category_code.dictionary_decode(),
        "department": department,
        "sub_category": sub_category,
        "product": product,
        "brand": table.column("brand").dictionary_decode(),
        "price": from_cents(cents),
        "user_id": pc.cast(table.column("user_id"), pa.int64()),
        "user_session": session,
        "zero_price": pa.array(cents == 0),
        "missing_session": session.is_null(),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)


def category_levels(category_code: pa.DictionaryArray) -> list[pa.StringArray]:
    """The first, second and all deeper levels of dictionary encoded category codes; NULL where there is none."""
    levels = [code.split(".", 2) for code in category_code.dictionary.to_pylist()]
    return [
        pa.array([(parts[depth : depth + 1] or [""])[0] or None for parts in levels], pa.string()).take(
            category_code.indices
        )
        for depth in range(3)
    ]


def _bytes(column: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where each text of a column starts and ends, and the bytes that hold them."""
    offsets = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, column.offset * 4).astype(np.int64)
    data = column.buffers()[2]
    return offsets[:-1], offsets[1:], np.frombuffer(data, np.uint8) if data else np.zeros(1, np.uint8)


def _digit(byte: npt.NDArray[np.uint8]) -> _Mask:
    return (byte - ord("0")) <= 9
