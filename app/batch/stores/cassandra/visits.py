"""Events of some users as rows of visits and of sessions.

A visit is what a user did in one session on one day: one row with its events in a list. It takes the server a fifth of
the work of a row for each event, and a reader wants the events of a visit together. Events without a session are cut
into visits where the user was silent.

Rows of a partition are next to each other: the server takes them in one step.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.session_shares import hash_of
from app.batch.stores.cassandra.encode import (
    Bytes,
    Integers,
    beside,
    bytes_of,
    cents_of,
    constant,
    decimal,
    fixed,
    join,
    list_of,
    number,
    plain,
    stretches,
    text,
    texts,
    tuple_of,
)
from app.batch.stores.cassandra.rows import Rows
from app.batch.stores.user_buckets import USER_BUCKETS
from app.events.identity import ID_BYTES
from app.events.schema import EVENT_TYPES, SESSION_GAP_MINUTES

COLUMNS: Final = (
    "event_id",
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
"""The columns of events that rows are made of; the others follow from them."""

MAX_EVENTS: Final = 100
"""A visit of more events is cut, so that the largest row is far below what Cassandra takes."""

_BUCKET_SHIFT: Final = 18
"""Makes 16,384 buckets of the sessions' hashes. Those of a write in one bucket are one row, which is cheaper than a row
each: all of a share's, as its sessions are in buckets of their own."""

_GAP: Final = SESSION_GAP_MINUTES * 60 * 1_000_000
_DAY: Final = 86_400 * 1_000_000
_SEPARATOR: Final = " > "
_FEW_VALUES: Final = ("event_type", "category_code", "brand")
"""Columns whose values are made once each, in the order of the type `event`."""


@dataclass(frozen=True)
class Visits:
    """Rows for the two tables."""

    visits: Rows
    sessions: Rows
    in_sessions: int
    """Visits that have a session."""


def visits_of(events: pa.Table, month: int, part: int, visit_begin: bytes, session_begin: bytes) -> Visits:
    """Make the rows.

    Args:
        events: events of one month, at least one; columns `COLUMNS`; texts that come as dictionaries take less time.
        month: that month, 201910 for October 2019.
        part: a number that no other events of the run have.
        visit_begin: the bytes before the values of a row of visits.
        session_begin: the bytes before the values of a row of sessions.
    """
    events, begins = _cut(events.unify_dictionaries())
    column = {name: events.column(name).combine_chunks() for name in COLUMNS}
    micros = column["event_time"].cast(pa.int64()).to_numpy()
    users, ids = column["user_id"].to_numpy(), bytes_of(column["event_id"], ID_BYTES)
    types = pc.index_in(column["event_type"], pa.array(EVENT_TYPES)).to_numpy(zero_copy_only=False)
    counts = np.diff(begins, append=len(events))
    bought = types == EVENT_TYPES.index("purchase")
    user, started, first = users[begins], _milliseconds(micros[begins]), ids[begins]
    session = column["user_session"].take(pa.array(begins))
    own = beside(
        [
            constant(visit_begin, len(begins)),
            number(user % USER_BUCKETS),
            number(np.full(len(begins), month, np.int32)),
            number(user),
            number(started),
            fixed(first),
        ]
    )
    numbers = beside(
        [
            number(_milliseconds(micros[begins + counts - 1])),
            number(counts.astype(np.int32)),
            number(np.add.reduceat(bought.astype(np.int32), begins, dtype=np.int32)),
            decimal(np.add.reduceat(np.where(bought, cents_of(column["price"]), 0), begins)),
        ]
    )
    done = list_of(_event_bytes(column, micros, ids), begins, len(events))
    visit = tuple_of(numbers, [*text(session), *text(_steps(types, begins)), *done])
    return Visits(Rows(join([plain(own), *visit])), *_sessions(session, started, user, first, part, session_begin))


def bucket_of(user_session: bytes) -> int:
    """The partition of a session."""
    return hash_of(user_session) >> _BUCKET_SHIFT


def _cut(events: pa.Table) -> tuple[pa.Table, Integers]:
    """The events in the order of their visits, and where each visit begins."""
    sessions = pc.fill_null(events.column("user_session"), "").combine_chunks()
    codes = sessions.dictionary_encode().indices.to_numpy()
    users = events.column("user_id").to_numpy()
    micros = events.column("event_time").cast(pa.int64()).to_numpy()
    in_order = bool((micros[1:] >= micros[:-1]).all())
    by = (codes, users, users % USER_BUCKETS)
    order = np.lexsort(by if in_order else (micros, *by))
    events = events.take(pa.array(order))
    codes, users, micros = codes[order], users[order], micros[order]
    missing = events.column("user_session").is_null().to_numpy()
    silent = missing[1:] & (np.diff(micros) > _GAP)
    days = np.diff(np.floor_divide(micros, _DAY)) != 0
    cuts = (codes[1:] != codes[:-1]) | (users[1:] != users[:-1]) | silent | days
    begins = np.append(0, np.flatnonzero(cuts) + 1)
    counts = np.diff(begins, append=len(events))
    pieces = -(-counts // MAX_EVENTS)
    first_piece = np.repeat(np.cumsum(pieces) - pieces, pieces)
    return events, np.repeat(begins, pieces) + MAX_EVENTS * (np.arange(len(first_piece)) - first_piece)


def _event_bytes(column: dict[str, pa.Array], micros: Integers, ids: Bytes) -> pa.LargeBinaryArray:
    """Each event as an element of a list: its length, and its fields in the order of the type `event`."""
    own = beside(
        [
            number(_milliseconds(micros)),
            number((micros % 1000).astype(np.int16)),
            fixed(ids),
            number(column["product_id"].to_numpy()),
            number(column["category_id"].to_numpy()),
            decimal(cents_of(column["price"])),
        ]
    )
    return join(tuple_of(own, [texts([_coded(column[name]) for name in _FEW_VALUES])]))


def _coded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _steps(types: npt.NDArray[np.integer], begins: Integers) -> pa.LargeBinaryArray:
    """What each visit did, one event type after the other."""
    names = pa.array([*EVENT_TYPES, *(_SEPARATOR + name for name in EVENT_TYPES)]).cast(pa.large_binary())
    which = types + len(EVENT_TYPES)
    which[begins] = types[begins]
    return stretches(names.take(pa.array(which)), begins)


def _sessions(
    session: pa.Array, started: Integers, user: Integers, first: Bytes, part: int, begin: bytes
) -> tuple[Rows, int]:
    """Where the visits of each session are, and how many these are."""
    known = np.flatnonzero(session.is_valid().to_numpy(zero_copy_only=False))
    names = session.take(pa.array(known)).cast(pa.binary())
    buckets = np.fromiter(map(bucket_of, names.to_pylist()), np.int32, len(known))
    order = np.argsort(buckets, kind="stable")
    at, buckets = known[order], buckets[order]
    begins = np.flatnonzero(np.diff(buckets, prepend=-1))
    counts = np.diff(begins, append=len(at))
    own = beside(
        [
            constant(begin, len(begins)),
            number(buckets[begins]),
            number(np.full(len(begins), part, np.int32)),
            number(counts.astype(np.int32)),
        ]
    )
    places = tuple_of(beside([number(user[at]), number(started[at]), fixed(first[at])]), [])
    columns = [list_of(join(values), begins, len(at)) for values in (text(names.take(pa.array(order))), places)]
    return Rows(join([plain(own), *(part for pair in columns for part in pair)])), len(at)


def _milliseconds(micros: Integers) -> Integers:
    return np.floor_divide(micros, 1000)
