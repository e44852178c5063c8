"""The event times of raw rows, many at once, without decoding the rows.

It reads the times that the codec reads. A time that it cannot read belongs to a bad event, which has none.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from app.events.csv_row import BadRowError
from app.events.files import Block
from app.events.layout import CANONICAL, Layout
from app.events.times import read_time, read_times

Times = npt.NDArray[np.int64]
"""Microseconds since the epoch, UTC."""

UNREADABLE: Final = int(np.iinfo(np.int64).max)
"""Stands for the time of a row that has none."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_ONE: Final = -62_135_596_800_000_000
_LOW: Final = np.frombuffer(b"0000-00-00 00:00:00 UTC,", np.uint8)
_HIGH: Final = np.frombuffer(b"9999-99-99 99:99:99 UTC,", np.uint8)
_WIDTH: Final = len(_LOW)
_FIELD: Final = re.compile(rb'("?)([ -~]*?)\1,')
_FIELD_WIDTH: Final = 64


def row_bounds(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each row of `data` begins, and where it ends, its line feed included; the last may have none."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    return np.append(0, ends)[: len(ends)], ends


def event_times(data: bytes, begins: npt.NDArray[np.int64]) -> Times:
    """The event times of the rows that begin at `begins`, in order; `UNREADABLE` where there is none."""
    times = np.full(len(begins), UNREADABLE, np.int64)
    whole = int(np.searchsorted(begins, len(data) - _WIDTH, "right"))
    usual = np.zeros(len(begins), bool)
    if whole > 0:
        text = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), _WIDTH)[begins[:whole]]
        usual[:whole] = ((text >= _LOW) & (text <= _HIGH)).all(axis=1)
        times[usual] = _seconds(text if usual[:whole].all() else text[usual[:whole]])
    for i in np.flatnonzero(~usual).tolist():
        times[i] = _unusual(data, int(begins[i]))
    times[times < _YEAR_ONE] = UNREADABLE
    return times


def times_of(block: Block) -> Times:
    """The event times of the rows of a block of a file, in order; `UNREADABLE` where there is none."""
    begins, ends = row_bounds(block.data)
    if block.layout == CANONICAL:
        return event_times(block.data, begins)
    received = (
        block.data[begin:end].rstrip(b"\r\n") for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    )
    data = b"\n".join(_canonical(row, block.layout) for row in received)
    return event_times(data + b"\n", row_bounds(data + b"\n")[0])


def micros(time: datetime) -> int:
    """A time with a zone, as microseconds since the epoch."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def moment(time: int) -> datetime:
    """The time that `micros` gave, in UTC."""
    return _EPOCH + timedelta(microseconds=time)


def rfc3339(time: int) -> str:
    """A time as Pub/Sub's and Beam's timestamp attributes are written."""
    return moment(time).isoformat().replace("+00:00", "Z")


def _seconds(text: npt.NDArray[np.uint8]) -> Times:
    """The times of rows, of which each begins in the usual form."""
    times, valid = read_times(text)
    return np.where(valid, times, UNREADABLE)


def _unusual(data: bytes, begin: int) -> int:
    """The time of a row that does not begin in the usual form."""
    match = _FIELD.match(data[begin : begin + _FIELD_WIDTH])
    time = read_time(match[2].decode().strip(" ")) if match else None
    return UNREADABLE if time is None else micros(time)


def _canonical(row: bytes, layout: Layout) -> bytes:
    try:
        return layout.canonical_row(row)
    except BadRowError:
        return b""
