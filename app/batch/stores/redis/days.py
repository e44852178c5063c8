"""The figures of a day from its Parquet files, one file in memory at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.stores.redis.keys import Board
from app.events.decimals import to_cents
from app.events.schema import EVENT_TYPES

HOURS: Final = 24

COLUMNS: Final = (
    "event_time",
    "event_type",
    "product_id",
    "department",
    "sub_category",
    "brand",
    "price",
    "user_id",
)
"""What is read of an event."""

PARTIAL: Final = pa.schema(
    [
        pa.field("board", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("views", pa.int64(), nullable=False),
        pa.field("purchases", pa.int64(), nullable=False),
        pa.field("revenue_cents", pa.int64(), nullable=False),
    ]
)
"""A part of the leaderboards: what the events of some days give a name."""

Integers = npt.NDArray[np.int64]
_VIEW: Final = EVENT_TYPES.index("view")
_PURCHASE: Final = EVENT_TYPES.index("purchase")
_HOUR_MICROSECONDS: Final = 3_600_000_000
_SUMS: Final = tuple(PARTIAL.names[2:])


@dataclass(frozen=True)
class Day:
    """What a day's events add up to."""

    events: Integers
    """Events by hour and by event type, in the order of `EVENT_TYPES`: 24 rows of 4."""
    revenue_cents: Integers
    """The prices of purchases by hour."""
    visitors: Integers
    """Users, each once, in ascending order."""
    buyers: Integers
    """Users who bought."""
    names: pa.Table
    """Columns of `PARTIAL`, each name once a board."""


def day_of(tables: Iterable[pa.Table]) -> Day:
    """Add up the events of one day; each table has `COLUMNS`, and one is in memory at a time."""
    days = [_add_up(table) for table in tables if len(table)] or [_EMPTY]
    return Day(
        events=np.sum([day.events for day in days], axis=0, dtype=np.int64),
        revenue_cents=np.sum([day.revenue_cents for day in days], axis=0, dtype=np.int64),
        visitors=np.unique(np.concatenate([day.visitors for day in days])),
        buyers=np.unique(np.concatenate([day.buyers for day in days])),
        names=add_names([day.names for day in days]),
    )


_EMPTY: Final = Day(
    np.zeros((HOURS, len(EVENT_TYPES)), np.int64),
    np.zeros(HOURS, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    PARTIAL.empty_table(),
)


def add_names(parts: Iterable[pa.Table]) -> pa.Table:
    """Add up parts of leaderboards: columns of `PARTIAL`, each name once a board."""
    together = pa.concat_tables(parts)
    sums = together.group_by(["board", "name"], use_threads=False).aggregate([(name, "sum") for name in _SUMS])
    return sums.rename_columns(PARTIAL.names).cast(PARTIAL)


def _add_up(table: pa.Table) -> Day:
    kinds = pc.index_in(table.column("event_type"), pa.array(EVENT_TYPES)).to_numpy()
    hours = pc.cast(table.column("event_time"), pa.int64()).to_numpy() // _HOUR_MICROSECONDS % HOURS
    cells = np.bincount(hours * len(EVENT_TYPES) + kinds, minlength=HOURS * len(EVENT_TYPES))
    bought = np.flatnonzero(kinds == _PURCHASE)
    cents = to_cents(_one_chunk(table.column("price")))[bought]
    users = table.column("user_id").to_numpy()
    measured = _Measured(kinds == _VIEW, bought, cents)
    return Day(
        events=cells.reshape(HOURS, len(EVENT_TYPES)),
        revenue_cents=_sums(hours[bought], cents, HOURS),
        visitors=np.unique(users),
        buyers=np.unique(users[bought]),
        names=pa.concat_tables(
            [
                measured.board("products", *_products(table)),
                measured.board("brands", *_texts(table.column("brand"))),
                measured.board("sub_categories", *_sub_categories(table)),
            ]
        ),
    )


@dataclass(frozen=True)
class _Measured:
    """The events that count for the measures."""

    views: npt.NDArray[np.bool_]
    bought: Integers
    cents: Integers

    def board(self, board: Board, codes: Integers, names: pa.Array) -> pa.Table:
        """The measures of each name. `codes` gives the place of each event's name, -1 where it has none."""
        size = len(names)
        named = codes[self.bought] >= 0
        bought = codes[self.bought][named]
        columns = [
            pa.repeat(pa.scalar(board), size),
            names.cast(pa.string()),
            np.bincount(codes[self.views & (codes >= 0)], minlength=size),
            np.bincount(bought, minlength=size),
            _sums(bought, self.cents[named], size),
        ]
        return pa.Table.from_arrays([pa.array(column) for column in columns], schema=PARTIAL)


def _products(table: pa.Table) -> tuple[Integers, pa.Array]:
    ids, codes = np.unique(table.column("product_id").to_numpy(), return_inverse=True)
    return codes, pa.array(ids)


def _texts(column: pa.ChunkedArray) -> tuple[Integers, pa.Array]:
    encoded = _one_chunk(pc.dictionary_encode(column))
    return pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64), encoded.dictionary


def _sub_categories(table: pa.Table) -> tuple[Integers, pa.Array]:
    """Named with their department: `electronics.smartphone`."""
    departments, department_names = _texts(table.column("department"))
    parts, part_names = _texts(table.column("sub_category"))
    whole = np.flatnonzero((departments >= 0) & (parts >= 0))
    pairs, places = np.unique(departments[whole] * len(part_names) + parts[whole], return_inverse=True)
    codes = np.full(len(departments), -1, np.int64)
    codes[whole] = places
    if not len(pairs):
        return codes, pa.array([], pa.string())
    departments_of, parts_of = np.divmod(pairs, len(part_names))
    names = pc.binary_join_element_wise(department_names.take(departments_of), part_names.take(parts_of), ".")
    return codes, names


def _sums(places: Integers, values: Integers, size: int) -> Integers:
    """The sum of the values at each place, exactly."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, places, values)
    return sums


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
