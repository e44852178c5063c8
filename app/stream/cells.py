"""Cells: the events of one hour and one shard of the visitors, counted exactly.

A cell is small and closed: equal events have the same time and visitor and so meet in one cell, however late and how
often they arrive. So a cell drops repeats by `event_id` and counts the rest anew, and late, repeated and
disordered events need no rule of their own. Sessions may span cells; a cell gives its parts of them.
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
    """Hours since the epoch, and the shard that a visitor belongs to."""

    hour: int
    shard: int


@dataclass(frozen=True)
class Counted:
    """What a cell holds after new events came: all its events, and the rows that changed."""

    events: bytes
    activity: pa.RecordBatch
    """Rows of ACTIVITY_LOG."""
    sessions: pa.RecordBatch
    """Rows of SESSION_LOG; where a session changed, all its parts in this cell."""


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
    order = np.argsort(keys, kind="stable")
    cell, keys = cell.take(pa.array(order)), keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
        hour, shard = divmod(int(keys[start]), shards)
        yield CellKey(hour, shard), cell.slice(start, end - start).serialize().to_pybytes()


def count_cell(
    key: CellKey, known: Sequence[bytes], fresh: Sequence[bytes], *, epoch: int, is_rebuilt: bool
) -> Counted | None:
    """Count a cell: `known` is what an earlier call gave, `fresh` what has come since. None if nothing changed.

    epoch [microseconds since 1970] and is_rebuilt: columns of ACTIVITY_LOG and SESSION_LOG.
    """
    batches = [pa.ipc.read_record_batch(part, _CELL) for part in (*known, *fresh)]
    events = pa.concat_batches(batches)
    is_fresh = np.arange(len(events)) >= sum(len(batch) for batch in batches[: len(known)])
    first = _first_of_each(events.column("event_id"))
    if len(first) < len(events):
        events, is_fresh = events.take(pa.array(first)), is_fresh[first]
    if not is_fresh.any():
        return None
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
        events.serialize().to_pybytes(),
        _batch(ACTIVITY_LOG, _activity(cell), stamp),
        _batch(SESSION_LOG, _sessions(cell, events.column("session_key")), stamp),
    )


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
