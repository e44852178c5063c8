"""What a slot holds, counted by the servers, a range of tokens at a time, several at once."""
# ruff: noqa: S608 - the names of tables and columns are our own

from itertools import pairwise
from typing import Final

from app.batch.stores.cassandra.load import Written
from app.batch.stores.cassandra.schema import BAD_EVENTS, PRODUCT_DAYS, SESSIONS, TABLES, VISITS
from app.batch.stores.cassandra.session import Session

_FIRST_TOKEN: Final = -(1 << 63)
_TOKENS: Final = 1 << 64
_ROWS_A_RANGE: Final = 100_000
_MIN_RANGES: Final = 8


def count(session: Session, slot: str, expected: Written) -> Written:
    """Count the rows of a slot; `expected` says about how many they are. Raises StoreError."""
    visits = _sum(session, slot, VISITS, "user_bucket, month", ("visit.event_count",), expected.visit_events // 4)
    sessions = _sum(session, slot, SESSIONS, "bucket", ("visits",), 0)
    products = _sum(
        session,
        slot,
        PRODUCT_DAYS,
        "product_id",
        ("*", "views", "carts", "removals", "purchases"),
        expected.product_days,
    )
    bad = _sum(session, slot, BAD_EVENTS, "source, block", ("*",), expected.bad_events)
    return Written(visits[0], sessions[0], sum(products[1:]), products[0], bad[0])


def _sum(session: Session, slot: str, table: str, key: str, columns: tuple[str, ...], rows: int) -> list[int]:
    """The number of rows for `*`, and the sum of each other column."""
    wanted = ", ".join("count(*)" if column == "*" else f"sum({column})" for column in columns)
    name = f"{session.settings.keyspace}.{TABLES[table].of(slot)}"
    cql = f"SELECT {wanted} FROM {name} WHERE token({key}) >= ? AND token({key}) <= ?"
    answers = session.ask_all([(cql, bounds) for bounds in _ranges(max(_MIN_RANGES, -(-rows // _ROWS_A_RANGE)))])
    counted = zip(*(answer[0].values() for answer in answers), strict=True)
    return [sum(figure or 0 for figure in figures) for figures in counted]


def _ranges(number: int) -> list[tuple[int, int]]:
    """The first and the last token of each of so many ranges."""
    begins = [_FIRST_TOKEN + _TOKENS * i // number for i in range(number + 1)]
    return [(begin, end - 1) for begin, end in pairwise(begins)]
