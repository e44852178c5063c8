"""Cells: the events of one hour and one shard of the visitors, counted exactly.

A cell is small and closed: equal events have the same time and visitor and so meet in one cell, however late and how
often they arrive. So a cell drops repeats by `event_id` and counts the rest anew, and late, repeated and
disordered events need no rule of their own. Sessions may span cells; a cell gives its parts of them.

A cell holds at most `MAX_CELL_BYTES`. What is more goes on to the cells below it, by visitor on the first level and by
event on the next, so that neither a hot hour nor a single visitor makes any cell larger. Equal events still meet: a
full cell stays as it is, knows its own events again, and passes on all others the same way.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.events.decimals import from_cents, to_cents
from app.events.schema import EVENT_TYPES, SESSION_GAP_MINUTES, TIME
from app.events.session_key import session_keys
from app.events.warehouse import ACTIVITY_LOG, REVENUE, SESSION_LOG

COLUMNS: Final = ("event_id", "event_time", "event_type", "price", "user_id", "user_session")
"""The columns of EVENTS that are counted."""
MAX_CELL_BYTES: Final = 8 << 20
"""The most that a cell holds, and a part of a batch weighs: about 90,000 events. Dataflow's limit of a value of state
is said to be 80 MB, and a cell is counted as a whole."""
LEVELS: Final = 3
"""Cells of a shard, cells by visitor below these, cells by event below these."""
_CHILDREN: Final = 64
_ROOTS: Final = 10_000
"""The most shards that there are; the numbers of cells below them begin here."""
_ROW_BYTES: Final = 64
"""What a row weighs without its session's name, rounded up."""
_SHIFT: Final = np.uint64(64 - (_CHILDREN - 1).bit_length())
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MICROS: Final = 1_000_000
_MINUTE: Final = 60 * _MICROS
_HOUR: Final = 60 * _MINUTE
_MINUTES: Final = 60
_TYPES: Final = len(EVENT_TYPES)
_PURCHASE: Final = EVENT_TYPES.index("purchase")
_CELL: Final = pa.schema(
    [
        ("event_id", pa.binary()),
        ("micros", pa.int64()),
        ("event_type", pa.int8()),
        ("cents", pa.int64()),
        ("user_id", pa.int64()),
        ("session_key", pa.string()),
    ]
)


class CellKey(NamedTuple):
    """Hours since the epoch, and the shard that a visitor belongs to, or the cell below a shard."""

    hour: int
    shard: int

    def child(self, number: int) -> "CellKey":
        """A cell below this one; no two cells of an hour have one number, as in a heap."""
        return CellKey(self.hour, _ROOTS + self.shard * _CHILDREN + number)


@dataclass(frozen=True)
class Counted:
    """What a cell holds after new events came: all its events, and the rows that changed."""

    events: bytes | None
    """None where they are the same as before."""
    activity: pa.RecordBatch
    """Rows of ACTIVITY_LOG."""
    sessions: pa.RecordBatch
    """Rows of SESSION_LOG; where a session changed, all its parts in this cell."""
    passed_on: list[tuple[CellKey, bytes]]
    """Parts for the cells below, which this one has no room for."""


def split_into_cells(events: pa.RecordBatch, shards: int) -> Iterator[tuple[CellKey, bytes]]:
    """The part of a batch (with `COLUMNS`) that belongs to each cell, as `count_cell` takes it."""
    if not len(events):
        return
    user_id = events.column("user_id")
    session = session_keys(events.column("user_session"), user_id)
    micros = events.column("event_time").view(pa.int64())
    codes = pc.index_in(events.column("event_type"), pa.array(EVENT_TYPES))
    cell = pa.RecordBatch.from_arrays(
        [
            events.column("event_id"),
            micros,
            pc.cast(codes, pa.int8()),
            pa.array(to_cents(events.column("price"))),
            user_id,
            session,
        ],
        schema=_CELL,
    )
    keys = micros.to_numpy() // _HOUR * shards + user_id.to_numpy() % shards
    for key, part in _grouped(cell, keys):
        hour, shard = divmod(key, shards)
        yield CellKey(hour, shard), part


def count_cell(
    key: CellKey,
    known: Sequence[bytes],
    fresh: Sequence[bytes],
    *,
    epoch: int,
    is_rebuilt: bool,
    again: bool = False,
    level: int = 0,
) -> Counted:
    """Count a cell: `known` is what an earlier call gave, `fresh` what has come since.

    epoch [microseconds since 1970] and is_rebuilt: columns of ACTIVITY_LOG and SESSION_LOG. `again` gives all rows and
    not just those that changed. `level` is that of the cell, from 0 to LEVELS - 1.
    """
    batches = [pa.ipc.read_record_batch(part, _CELL) for part in (*known, *fresh)]
    events = pa.concat_batches(batches)
    count = sum(len(batch) for batch in batches[: len(known)])
    first = _first_of_each(events.column("event_id"))
    if len(first) < len(events):
        events = events.take(pa.array(first))
    room, passed_on = _room(events, count), []
    if room < len(events):
        passed_on = list(_passed_on(key, level, events.slice(room)))
        events = events.slice(0, room)
    is_fresh = np.arange(len(events)) >= (0 if again else count)
    if not is_fresh.any():
        return Counted(None, _empty(ACTIVITY_LOG), _empty(SESSION_LOG), passed_on)
    now = time.time_ns() // 1_000
    cell = _Cell(
        hour=key.hour * _HOUR,
        micros=events.column("micros").to_numpy(),
        types=events.column("event_type").to_numpy(),
        cents=events.column("cents").to_numpy(),
        users=events.column("user_id").to_numpy(),
        is_fresh=is_fresh,
    )
    stamp = {"shard": key.shard, "epoch": epoch, "is_rebuilt": is_rebuilt, "updated_at": now}
    return Counted(
        events.serialize().to_pybytes() if room > count else None,
        _batch(ACTIVITY_LOG, _activity(cell), stamp),
        _batch(SESSION_LOG, _sessions(cell, events.column("session_key")), stamp),
        passed_on,
    )


def _room(events: pa.RecordBatch, known: int) -> int:
    """How many of the events a cell has room for: those that it knew, and the first of the others."""
    if len(events) * _ROW_BYTES + events.column("session_key").nbytes <= MAX_CELL_BYTES:
        return len(events)
    sizes = np.cumsum(_sizes(events))
    return max(known, int(np.searchsorted(sizes, MAX_CELL_BYTES, side="right")))


def _sizes(events: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The bytes of each row at most."""
    text: npt.NDArray[np.int64] = pc.binary_length(events.column("session_key")).to_numpy().astype(np.int64)
    return text + _ROW_BYTES


def _passed_on(key: CellKey, level: int, events: pa.RecordBatch) -> Iterator[tuple[CellKey, bytes]]:
    """Parts for the cells below: of one visitor together on the first level, anywhere on the next."""
    if level == 0:
        mixed = events.column("user_id").to_numpy().view(np.uint64) * _MIX
    else:
        mixed = np.frombuffer(b"".join(events.column("event_id").to_pylist()), ">u8")[::2].astype(np.uint64) * _MIX
    numbers = (mixed >> _SHIFT).astype(np.int64)
    for number, part in _grouped(events, numbers):
        yield key.child(number), part


def _grouped(events: pa.RecordBatch, keys: npt.NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """The events of each key, in parts of at most MAX_CELL_BYTES."""
    order = np.argsort(keys, kind="stable")
    events, keys = events.take(pa.array(order)), keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
        for part in _small_parts(events.slice(start, end - start)):
            yield int(keys[start]), part


def _small_parts(events: pa.RecordBatch) -> Iterator[bytes]:
    data = events.serialize().to_pybytes()
    if len(data) <= MAX_CELL_BYTES or len(events) == 1:
        yield data
        return
    half = len(events) // 2
    yield from _small_parts(events.slice(0, half))
    yield from _small_parts(events.slice(half))


@dataclass(frozen=True)
class _Cell:
    """The distinct events of a cell, a value an event, and whether it is new."""

    hour: int
    micros: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]
    cents: npt.NDArray[np.int64]
    users: npt.NDArray[np.int64]
    is_fresh: npt.NDArray[np.bool_]


def _first_of_each(ids: pa.BinaryArray) -> npt.NDArray[np.int64]:
    """The index of the first of each group of equal ids, in ascending order."""
    codes = ids.dictionary_encode()
    if len(codes.dictionary) == len(ids):
        return np.arange(len(ids))
    return np.sort(np.unique(codes.indices.to_numpy(), return_index=True)[1])


def _activity(cell: _Cell) -> dict[str, Any]:
    minute = (cell.micros - cell.hour) // _MINUTE
    bucket = minute * _TYPES + cell.types
    size = _MINUTES * _TYPES
    events = np.bincount(bucket, minlength=size)
    revenue = _sums(bucket, np.where(cell.types == _PURCHASE, cell.cents, 0), size)
    changed = np.flatnonzero(np.bincount(bucket[cell.is_fresh], minlength=size))
    return {
        "minute": cell.hour + changed // _TYPES * _MINUTE,
        "event_type": [EVENT_TYPES[code] for code in (changed % _TYPES).tolist()],
        "events": events[changed],
        "revenue": revenue[changed],
    }


def _sessions(cell: _Cell, session_key: pa.StringArray) -> dict[str, Any]:
    coded = session_key.dictionary_encode()
    session = coded.indices.to_numpy()
    order = np.lexsort((cell.micros, session))
    session, micros = session[order], cell.micros[order]
    types, cents, users = cell.types[order], cell.cents[order], cell.users[order]
    gap = np.diff(micros, prepend=micros[0]) >= SESSION_GAP_MINUTES * _MINUTE
    starts = np.flatnonzero(np.diff(session, prepend=-1).astype(bool) | gap)
    ends = np.append(starts[1:], len(micros)) - 1
    part = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(micros))))
    counts = np.bincount(part * _TYPES + types, minlength=len(starts) * _TYPES).reshape(-1, _TYPES)
    changed = np.zeros(len(coded.dictionary), bool)
    changed[coded.indices.to_numpy()[cell.is_fresh]] = True
    keep = np.flatnonzero(changed[session[starts]])
    starts, ends = starts[keep], ends[keep]
    by_type = dict(zip(EVENT_TYPES, counts[keep].T, strict=True))
    revenue = _sums(part, np.where(types == _PURCHASE, cents, 0), len(counts))
    return {
        "session_key": coded.dictionary.take(pa.array(session[starts])),
        "hour": np.full(len(keep), cell.hour),
        "session_start": micros[starts],
        "session_end": micros[ends],
        "user_id": np.minimum.reduceat(users, np.flatnonzero(np.diff(part, prepend=-1)))[keep],
        "events": counts[keep].sum(axis=1),
        "views": by_type["view"],
        "carts": by_type["cart"],
        "removals": by_type["remove_from_cart"],
        "purchases": by_type["purchase"],
        "revenue": revenue[keep],
    }


def _sums(groups: npt.NDArray[Any], values: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    # Sums in floating point are exact up to 2**53 hundredths.
    return np.rint(np.bincount(groups, weights=values, minlength=size)).astype(np.int64)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema)


def _batch(schema: pa.Schema, columns: dict[str, Any], stamp: dict[str, int]) -> pa.RecordBatch:
    size = len(columns["events"])
    columns = columns | {name: np.full(size, value) for name, value in stamp.items()}
    return pa.RecordBatch.from_arrays([_array(columns[field.name], field.type) for field in schema], schema=schema)


def _array(values: Any, type_: pa.DataType) -> pa.Array:
    if type_ == TIME:
        return pa.array(np.asarray(values, np.int64)).view(TIME)
    if type_ == REVENUE:
        return from_cents(values, REVENUE)
    return values if isinstance(values, pa.Array) else pa.array(values, type_)
