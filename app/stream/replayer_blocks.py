"""Cut what was read from a file into the blocks that messages carry.

A block is one or more neighbouring rows. It ends at the limit of rows or bytes, where a row is left out because it is
outside of the replayed period, and, at a pace, where its rows would span more time than it may.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from app.events.files import Block
from app.events.layout import CANONICAL, Layout
from app.events.time_bounds import ANY_TIME, TimeBounds
from app.stream.replayer_times import UNREADABLE, Times, micros, row_bounds, times_of

_DAY: Final = 86_400_000_000
NEVER: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a block may hold, and which rows are replayed at all."""

    rows: int
    max_bytes: int
    """A longer row is a block of its own."""
    span: int | None = None
    """Microseconds of event time between the first and the last row; None for any."""
    start: datetime | None = None
    """Rows before it are left out."""
    end: datetime | None = None
    """Rows from it on are left out."""
    plausible: TimeBounds = ANY_TIME
    """Rows of other times are bad events: they are sent, but no row waits for them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one message."""

    data: bytes
    first_row: int
    rows: int
    end: int
    """The byte of the file after the last row."""
    earliest: int | None
    """The first event time of its rows in microseconds; None where no row has one."""
    latest: int | None
    due: int
    """The event time, in microseconds, at which all its rows have happened, as far as the pace goes; `NEVER` before
    the first time of a file."""
    layout: Layout = CANONICAL
    """The order of its columns."""


class Cutter:
    """Cuts the blocks of one file, in order.

    A row whose time cannot be read is a bad event for the pipeline to keep: it goes with the row before it, or with
    the next one where there is none before.
    """

    def __init__(self, limits: Limits) -> None:
        """Begin a file."""
        self._limits = limits
        self._start = micros(limits.start) if limits.start else None
        self._end = micros(limits.end) if limits.end else None
        self._last_kept: bool | None = None
        self._clock = NEVER

    def cut(self, block: Block) -> Iterator[Piece]:
        """The pieces of a block of any size; rows that are left out are in none."""
        begins, ends = row_bounds(block.data)
        times = times_of(block)
        due = self._due(times)
        for first, stop in self._kept_runs(times):
            at = first
            while at < stop:
                after = self._piece_end(at, stop, begins, ends, due)
                yield _piece(block, at, after, begins, ends, times, int(due[after - 1]))
                at = after

    def _piece_end(
        self, at: int, stop: int, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], due: Times
    ) -> int:
        after = min(at + self._limits.rows, stop)
        if ends[after - 1] - begins[at] > self._limits.max_bytes:
            after = at + int(np.searchsorted(ends[at:after], begins[at] + self._limits.max_bytes, "right"))
        if self._limits.span is not None:
            after = at + int(np.searchsorted(due[at:after], due[at] + self._limits.span, "right"))
        return max(after, at + 1)

    def _kept_runs(self, times: Times) -> list[tuple[int, int]]:
        """The runs of neighbouring rows that are replayed."""
        if self._start is None and self._end is None:
            return [(0, len(times))]
        kept = np.ones(len(times), bool)
        if self._start is not None:
            kept &= times >= self._start
        if self._end is not None:
            kept &= times < self._end
        known = np.flatnonzero(times != UNREADABLE)
        if len(known):
            before = np.searchsorted(known, np.arange(len(times)), "right") - 1
            kept = np.where(
                before < 0, kept[known[0]] if self._last_kept is None else self._last_kept, kept[known[before]]
            )
            self._last_kept = bool(kept[-1])
        else:
            kept[:] = self._last_kept is not False
        edges = np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0, append=0))
        return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

    def _due(self, times: Times) -> Times:
        """When each row is due by the running clock of the file, which never goes back.

        Implausible times do not move it. One row far in the future between others that are not has a wrong time:
        waiting for it would stop the replay.
        """
        bounds = self._limits.plausible
        known = np.flatnonzero((times != UNREADABLE) & (times >= bounds.earliest) & (times < bounds.latest))
        values = times[known]
        ahead = np.diff(values, prepend=values[:1] - 2 * _DAY if self._clock == NEVER else self._clock)
        falls = np.diff(values, append=values[-2:-1] if len(values) > 1 else values)
        due = np.full(len(times), self._clock)
        due[known] = np.where((ahead > _DAY) & (falls < -_DAY), self._clock, values)
        np.maximum.accumulate(due, out=due)
        if len(due):
            self._clock = int(due[-1])
        return due


def _piece(
    block: Block,
    at: int,
    after: int,
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    times: Times,
    due: int,
) -> Piece:
    earliest, latest = int(times[at:after].min()), int(times[at:after].max())
    if latest == UNREADABLE:
        known = times[at:after][times[at:after] != UNREADABLE]
        latest = int(known.max()) if len(known) else UNREADABLE
    begin, end = int(begins[at]), int(ends[after - 1])
    return Piece(
        data=block.data[begin:end],
        first_row=block.first_row + at,
        rows=after - at,
        end=block.offset + end,
        earliest=None if earliest == UNREADABLE else earliest,
        latest=None if latest == UNREADABLE else latest,
        due=due,
        layout=block.layout,
    )
