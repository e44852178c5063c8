"""Activity: counts by minute and event type, and sessions, kept current as events arrive.

Each cell (an hour, a shard of the visitors; see `app.stream.cells`) is a key with state. New events are counted a few
seconds after the first of them came, and what changed goes out as rows that replace the cell's earlier ones. So
nothing is too late: an event of three days ago updates its minute and its session like any other.

The state of a cell is kept for `keep_days` after its last event, or for as long as the job lives where that is 0.
Should an event come after that, it opens a new epoch, whose rows add to the earlier ones; only an exact repeat of an
event so late would count twice, here and nowhere else. A job that begins takes up what `event_log` holds
(`app.stream.rebuild`) and marks the cells that it so counts anew: their rows stand in place of all earlier epochs.

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

from app.stream.cells import CellKey, count_cell, split_into_cells

CellPart = tuple[tuple[int, int], bytes]

_REBUILT: Final = b""


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
        self._count = _Count(every_seconds, keep_days, began=Timestamp.now())

    @no_annotations  # Beam takes the type of one collection for a hint, and warns of any other
    def expand(self, parts: beam.PCollection[CellPart]) -> Activity:
        """Rows that replace the earlier ones of their cell."""
        counted = parts | beam.ParDo(self._count).with_outputs("sessions", main="minutes")
        return Activity(counted.minutes, counted.sessions)


class _Count(beam.DoFn):
    KNOWN = BagStateSpec("known", BytesCoder())
    FRESH = BagStateSpec("fresh", BytesCoder())
    IS_DUE = ReadModifyWriteStateSpec("is_due", BooleanCoder())
    EPOCH = ReadModifyWriteStateSpec("epoch", VarIntCoder())
    IS_REBUILT = ReadModifyWriteStateSpec("is_rebuilt", BooleanCoder())
    # FnApiRunner mixes up timers of the same name, also those of different steps.
    DUE = TimerSpec("count_cell", TimeDomain.WATERMARK)
    FORGET = TimerSpec("forget_cell", TimeDomain.WATERMARK)

    def __init__(self, every_seconds: int, keep_days: int, began: Timestamp) -> None:
        self._every_seconds = every_seconds
        self._keep_seconds = keep_days * 86_400
        # One epoch for all cells that a job begins with, so that together they replace the earlier ones of an hour.
        self._epoch = began.micros

    def process(
        self,
        part: CellPart,
        timestamp: Any = beam.DoFn.TimestampParam,
        known: Any = beam.DoFn.StateParam(KNOWN),
        fresh: Any = beam.DoFn.StateParam(FRESH),
        is_due: Any = beam.DoFn.StateParam(IS_DUE),
        is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> None:
        if part[1] != _REBUILT:
            fresh.add(part[1])
        elif is_rebuilt.read():
            return
        else:
            is_rebuilt.write(True)
            # What was counted before has to go out once more, now as rows that replace those of earlier epochs.
            for counted in known.read():
                fresh.add(counted)
            known.clear()
        if not is_due.read():
            is_due.write(True)
            due.set(timestamp + self._every_seconds)

    @on_timer(DUE)
    def count(
        self,
        key: Any = beam.DoFn.KeyParam,
        timestamp: Any = beam.DoFn.TimestampParam,
        known: Any = beam.DoFn.StateParam(KNOWN),
        fresh: Any = beam.DoFn.StateParam(FRESH),
        is_due: Any = beam.DoFn.StateParam(IS_DUE),
        epoch: Any = beam.DoFn.StateParam(EPOCH),
        is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        parts = list(fresh.read())
        fresh.clear()
        is_due.clear()
        if not parts:
            return
        began = epoch.read() or self._epoch
        counted = count_cell(CellKey(*key), list(known.read()), parts, epoch=began, is_rebuilt=bool(is_rebuilt.read()))
        if counted:
            epoch.write(began)
            known.clear()
            known.add(counted.events)
            yield counted.activity
            yield beam.pvalue.TaggedOutput("sessions", counted.sessions)
        if self._keep_seconds:
            forget.set(timestamp + self._keep_seconds)

    @on_timer(FORGET)
    def give_up(
        self,
        timestamp: Any = beam.DoFn.TimestampParam,
        known: Any = beam.DoFn.StateParam(KNOWN),
        is_due: Any = beam.DoFn.StateParam(IS_DUE),
        epoch: Any = beam.DoFn.StateParam(EPOCH),
        is_rebuilt: Any = beam.DoFn.StateParam(IS_REBUILT),
    ) -> None:
        # Where something came just now, `count` sets this timer again. Where it is not yet so late, the watermark has
        # jumped to its end, as in a drain; a runner of batches still has events to give then.
        if is_due.read() or timestamp > Timestamp.now():
            return
        known.clear()
        is_rebuilt.clear()
        epoch.write(Timestamp.now().micros)
