"""Activity: counts by minute and event type, and sessions, kept current as events arrive.

Each cell (an hour, a shard of the visitors; see `app.stream.cells`) is a key with state. New events are counted a few
seconds after the first of them came, and what changed goes out as rows that replace the cell's earlier ones. So
nothing is too late: an event of three days ago updates its minute and its session like any other.

The state of a cell is kept for `keep_days` after its last event, or for as long as the job lives where that is 0.
Should an event come after that, it opens a new epoch, whose rows add to the earlier ones; only an exact repeat of an
event so late would count twice, here and nowhere else. A job that begins takes up what `event_log` holds
(`app.stream.rebuild`) and marks the cells that it so counts anew: their rows stand in place of all earlier epochs.

No value of state is larger than a cell (`MAX_CELL_BYTES`): a cell counts at once when so much waits in it, and passes
on what it has no room for to a cell of the next level, a step of its own. The last level has nobody to pass on to; a
cell there that is full (millions of events of one visitor in one hour) is given up, so that a new epoch begins.

Time in this module is the time of publication, never that of the event: it says when to count, not what.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import BooleanCoder, BytesCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from app.stream.cells import LEVELS, MAX_CELL_BYTES, CellKey, count_cell, split_into_cells

CellPart = tuple[tuple[int, int], bytes]

_REBUILT: Final = b""
_BELOW_SECONDS: Final = 1
"""The delay of a count below the first level, where parts come together already."""


class Activity(NamedTuple):
    """What `CountCells` gives: batches of ACTIVITY_LOG and of SESSION_LOG."""

    minutes: beam.PCollection[pa.RecordBatch]
    sessions: beam.PCollection[pa.RecordBatch]


class SplitIntoCells(beam.PTransform):
    """The part of each batch that belongs to each cell: all that has to move between workers."""

    def __init__(self, shards: int) -> None:
        """Each hour is counted in `shards` parts."""
        super().__init__()
        self._shards = shards

    def expand(self, events: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[CellPart]:
        """Bytes by cell."""
        shards = self._shards
        return events | beam.FlatMap(lambda batch: split_into_cells(batch, shards)).with_output_types(CellPart)


class MarkRebuilt(beam.PTransform):
    """Say of cells whose parts were read back from `event_log` that they count all that it holds."""

    def expand(self, parts: beam.PCollection[CellPart]) -> beam.PCollection[CellPart]:
        """The parts, and a mark beside each."""
        return parts | beam.FlatMap(marked).with_output_types(CellPart)


def marked(part: CellPart) -> tuple[CellPart, CellPart]:
    """Put the mark before a part that was read back."""
    return (part[0], _REBUILT), part


class CountCells(beam.PTransform):
    """Count a cell `every_seconds` after something new came; forget it `keep_days` (0: never) after the last came."""

    def __init__(self, every_seconds: int, keep_days: int) -> None:
        """Set the delay of a count and the life of a cell's state."""
        super().__init__()
        began = Timestamp.now()
        self._levels = [
            count_level(level, every_seconds if level == 0 else _BELOW_SECONDS, keep_days, began)
            for level in range(LEVELS)
        ]

    @no_annotations  # Beam takes the type of one collection for a hint, and warns of any other
    def expand(self, parts: beam.PCollection[CellPart]) -> Activity:
        """Rows that replace the earlier ones of their cell."""
        minutes, sessions = [], []
        for number, level in enumerate(self._levels):
            counted = parts | f"Level {number}" >> beam.ParDo(level).with_outputs("sessions", "below", main="minutes")
            minutes.append(counted.minutes)
            sessions.append(counted.sessions)
            parts = counted.below | f"Below {number}" >> beam.Map(tuple).with_output_types(CellPart)
        return Activity(minutes | "Minutes" >> beam.Flatten(), sessions | "Sessions" >> beam.Flatten())


class CellState(NamedTuple):
    """The state of one cell, as Beam gives it."""

    known: Any
    """What was counted, in one value."""
    fresh: Any
    """Parts that wait to be counted."""
    waiting: Any
    """Bytes of these parts and 1 more; None while no count is due."""
    epoch: Any
    is_rebuilt: Any
    again: Any
    """Whether all rows have to go out once more, now as rows that replace those of earlier epochs."""


class CellCounter(beam.DoFn):
    """What a level does with its cells; `count_level` adds the state."""

    def __init__(self, level: int, every_seconds: int, keep_days: int, began: Timestamp) -> None:
        """Count the cells of a level."""
        self._level = level
        self._every_seconds = every_seconds
        self._keep_seconds = keep_days * 86_400
        # One epoch for all cells that a job begins with, so that together they replace the earlier ones of an hour.
        self._epoch = began.micros

    def take(self, part: CellPart, timestamp: Timestamp, state: CellState, due: Any, forget: Any) -> Iterator[Any]:
        """Take a part, to be counted soon."""
        if part[1] != _REBUILT:
            state.fresh.add(part[1])
        elif state.is_rebuilt.read():
            return
        else:
            state.is_rebuilt.write(True)
            state.again.write(True)
        waiting = state.waiting.read()
        if waiting is None:
            due.set(timestamp + self._every_seconds)
        total = (waiting or 1) + len(part[1])
        state.waiting.write(total)
        if total > MAX_CELL_BYTES:
            yield from self.count_now(CellKey(*part[0]), timestamp, state, forget)

    def count_now(self, key: CellKey, timestamp: Timestamp, state: CellState, forget: Any) -> Iterator[Any]:
        """Count what has come."""
        parts = list(state.fresh.read())
        state.fresh.clear()
        state.waiting.clear()
        again = bool(state.again.read())
        state.again.clear()
        known = list(state.known.read()) if parts or again else []
        while parts or (again and known):
            epoch = state.epoch.read() or self._epoch
            is_rebuilt = bool(state.is_rebuilt.read())
            counted = count_cell(key, known, parts, epoch=epoch, is_rebuilt=is_rebuilt, again=again, level=self._level)
            if counted.events is not None:
                state.known.clear()
                state.known.add(counted.events)
            if len(counted.activity):
                state.epoch.write(epoch)
                yield counted.activity
                yield beam.pvalue.TaggedOutput("sessions", counted.sessions)
            parts, known, again = [], [], False
            if self._level < LEVELS - 1:
                for below in counted.passed_on:
                    yield beam.pvalue.TaggedOutput("below", below)
            elif counted.passed_on:
                parts = [part for _, part in counted.passed_on]
                self.give_up(state)
        if self._keep_seconds:
            forget.set(timestamp + self._keep_seconds)

    def give_up(self, state: CellState) -> None:
        """Forget what was counted: what comes from now on adds to it."""
        state.known.clear()
        state.is_rebuilt.clear()
        state.epoch.write(Timestamp.now().micros)


def count_level(level: int, every_seconds: int, keep_days: int, began: Timestamp) -> CellCounter:
    """Make the step that counts the cells of a level.

    Each level has a class, since FnApiRunner mixes up timers of the same name, also those of different steps.
    """

    class Level(CellCounter):
        KNOWN = BagStateSpec("known", BytesCoder())
        FRESH = BagStateSpec("fresh", BytesCoder())
        WAITING = ReadModifyWriteStateSpec("waiting", VarIntCoder())
        EPOCH = ReadModifyWriteStateSpec("epoch", VarIntCoder())
        IS_REBUILT = ReadModifyWriteStateSpec("is_rebuilt", BooleanCoder())
        AGAIN = ReadModifyWriteStateSpec("again", BooleanCoder())
        DUE = TimerSpec(f"count_cell_{level}", TimeDomain.WATERMARK)
        FORGET = TimerSpec(f"forget_cell_{level}", TimeDomain.WATERMARK)

        def process(
            self,
            part: CellPart,
            timestamp: Any = beam.DoFn.TimestampParam,
            known: Any = beam.DoFn.StateParam(KNOWN),
            fresh: Any = beam.DoFn.StateParam(FRESH),
            waiting: Any = beam.DoFn.StateParam(WAITING),
            epoch: Any = beam.DoFn.StateParam(EPOCH),
            is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
            again: Any = beam.DoFn.StateParam(AGAIN),
            due: Any = beam.DoFn.TimerParam(DUE),
            forget: Any = beam.DoFn.TimerParam(FORGET),
        ) -> Iterator[Any]:
            state = CellState(known, fresh, waiting, epoch, is_rebuilt, again)
            yield from self.take(part, timestamp, state, due, forget)

        @on_timer(DUE)
        def count(
            self,
            key: Any = beam.DoFn.KeyParam,
            timestamp: Any = beam.DoFn.TimestampParam,
            known: Any = beam.DoFn.StateParam(KNOWN),
            fresh: Any = beam.DoFn.StateParam(FRESH),
            waiting: Any = beam.DoFn.StateParam(WAITING),
            epoch: Any = beam.DoFn.StateParam(EPOCH),
            is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
            again: Any = beam.DoFn.StateParam(AGAIN),
            forget: Any = beam.DoFn.TimerParam(FORGET),
        ) -> Iterator[Any]:
            state = CellState(known, fresh, waiting, epoch, is_rebuilt, again)
            if waiting.read() is not None:
                yield from self.count_now(CellKey(*key), timestamp, state, forget)

        @on_timer(FORGET)
        def forget(
            self,
            timestamp: Any = beam.DoFn.TimestampParam,
            known: Any = beam.DoFn.StateParam(KNOWN),
            fresh: Any = beam.DoFn.StateParam(FRESH),
            waiting: Any = beam.DoFn.StateParam(WAITING),
            epoch: Any = beam.DoFn.StateParam(EPOCH),
            is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
            again: Any = beam.DoFn.StateParam(AGAIN),
        ) -> None:
            # Where something came just now, `count` sets this timer again. Where it is not yet so late, the watermark
            # has jumped to its end, as in a drain; a runner of batches still has events to give then.
            if waiting.read() is None and timestamp <= Timestamp.now():
                self.give_up(CellState(known, fresh, waiting, epoch, is_rebuilt, again))

    return Level(level, every_seconds, keep_days, began)
