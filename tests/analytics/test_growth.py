"""The time for an answer grows with the events, not with their square, whatever the events are."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from app.analytics import QUESTIONS
from app.events.schema import EVENTS
from tests.analytics.answers import ask
from tests.analytics.engines import DuckDb

START: Final = datetime(2019, 10, 1, tzinfo=UTC)
FEW, MANY = 10_000, 40_000
NOISE: Final = 0.5
"""So many seconds more are the machine's [seconds]."""

Shape = Callable[[int], dict[str, Any]]
SHAPES: Final[dict[str, Shape]] = {
    "one session buys a different product each time": lambda n: {"event_time": START + timedelta(seconds=n % 1_700)},
    "one key has a session for each purchase": lambda n: {"event_time": START + timedelta(minutes=31 * n)},
    "one key has bots one after the other": lambda n: {
        "event_type": "view",
        "event_time": START + timedelta(minutes=31 * (n // 12), seconds=n % 12),
    },
    "each event is of another day and visitor": lambda n: {
        "event_time": datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=n),
        "user_id": n,
        "user_session": f"s{n}",
    },
    "few visitors come for decades": lambda n: {
        "event_time": datetime(1900, 1, 1, tzinfo=UTC) + timedelta(days=n),
        "user_id": n % 7,
        "user_session": f"s{n}",
    },
    "each session buys all that counts": lambda n: {
        "event_time": START + timedelta(seconds=n),
        "user_session": f"s{n // 100}",
    },
}


def events_of_shape(shape: Shape, count: int) -> pa.Table:
    row = {
        "event_type": "purchase", "category_id": 1, "category_code": "a.b", "department": "a", "sub_category": "b",
        "brand": "x", "price": Decimal("1.50"), "user_id": 1, "user_session": "undefined", "zero_price": False,
        "missing_session": False,
    }  # fmt: skip
    rows = [row | {"event_id": n.to_bytes(16), "product_id": n} | shape(n) for n in range(count)]
    return pa.Table.from_pylist(rows, EVENTS)


def seconds_to_answer_all(shape: Shape, count: int) -> dict[str, float]:
    with duckdb.connect(config={"threads": 1}) as connection:
        engine = DuckDb(connection)
        engine.load("events", events_of_shape(shape, count))
        took = {}
        for name in QUESTIONS:
            began = time.process_time()
            ask(name, engine)
            took[name] = time.process_time() - began
        return took


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_four_times_the_events_take_less_than_eight_times_the_time(shape: Shape) -> None:
    seconds_to_answer_all(shape, 10)  # whatever is done once
    few, many = seconds_to_answer_all(shape, FEW), seconds_to_answer_all(shape, MANY)
    slow = {name: (few[name], many[name]) for name in QUESTIONS if many[name] > 8 * few[name] + NOISE}
    assert not slow
