"""The warehouse's views over logs that repeat themselves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from app.analytics import QUESTIONS
from app.analytics.sql import compile_fact
from app.analytics.views import VIEWS, compile_view
from app.events.schema import EVENT_LOG, EVENTS
from app.events.warehouse import ACTIVITY_LOG, BAD_EVENT_LOG, SESSION_LOG
from tests.analytics.answers import ask
from tests.analytics.engines import BigQuery, DuckDb, Engine
from tests.analytics.events import generated_events
from tests.analytics.reference_sessions import find_sessions, price_sum

NOW = datetime(2019, 12, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return generated_events(3_000)


@pytest.fixture(params=["duckdb", pytest.param("bigquery", marks=pytest.mark.integration)])
def warehouse(request: pytest.FixtureRequest) -> Engine:
    """An engine whose logs are empty."""
    engine: Engine = request.getfixturevalue(f"{request.param}_engine")
    if isinstance(engine, DuckDb):
        engine.make_schema("shop")
    for name, schema in {
        "event_log": EVENT_LOG,
        "bad_event_log": BAD_EVENT_LOG,
        "activity_log": ACTIVITY_LOG,
        "session_log": SESSION_LOG,
    }.items():
        engine.load(f"shop.{name}", schema.empty_table())
    return engine


def view(engine: Engine, name: str) -> list[dict[str, Any]]:
    return engine.query(compile_view(name, "shop", engine.dialect)).to_pylist()  # type: ignore[no-any-return]


def log(events: pa.Table, source: str, first_row: int, ingest_time: datetime = NOW) -> pa.Table:
    columns = [events.column(name) for name in EVENTS.names]
    count = len(events)
    columns += [[source] * count, list(range(first_row, first_row + count)), [ingest_time] * count]
    return pa.table(columns, EVENT_LOG)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_of_empty_logs_is_empty(warehouse: Engine, name: str) -> None:
    nothing = [{"source": None, "read": 0, "stored": 0, "duplicates": 0, "bad": 0}]
    assert view(warehouse, name) == (nothing if name == "ledger" else [])


def test_each_event_is_there_once_however_often_it_came(warehouse: Engine, events: pa.Table) -> None:
    warehouse.load(
        "shop.event_log",
        pa.concat_tables(
            [log(events, "b.csv", 1), log(events, "b.csv", 1, LATER), log(events.slice(0, 500), "a.csv", 7)]
        ),
    )
    found = warehouse.query(compile_view("events", "shop", warehouse.dialect)).cast(EVENTS)
    assert found.sort_by("event_id").equals(events.sort_by("event_id"))


@pytest.mark.integration
def test_questions_on_the_view_are_answered_as_on_the_events(
    bigquery_engine: BigQuery, duckdb_engine: DuckDb, events: pa.Table
) -> None:
    twice = pa.concat_tables([log(events, "a.csv", 1), log(events, "a.csv", 1, LATER)])
    bigquery_engine.load("shop.event_log", twice)
    bigquery_engine.make_view("shop.events_view", compile_view("events", "shop"))
    duckdb_engine.load("events", events)
    for name in QUESTIONS:
        assert ask(name, bigquery_engine, "events_view") == ask(name, duckdb_engine), name


def test_each_bad_row_is_there_once_as_it_was_stored_first(warehouse: Engine) -> None:
    rows = [
        ("invalid_time", None, b"x", "a.csv", 3, NOW, None),
        ("missing_columns", "brand", b"y", "a.csv", 4, NOW, "words"),
    ]
    again = [
        ("invalid_time", None, b"x", "a.csv", 3, LATER, None),
        ("invalid_time", None, b"x", "b.csv", 3, LATER, None),
    ]
    warehouse.load("shop.bad_event_log", _table([*rows, *again], BAD_EVENT_LOG))
    found = warehouse.query(compile_view("bad_events", "shop", warehouse.dialect)).cast(BAD_EVENT_LOG)
    assert sorted(_rows(found), key=str) == sorted([*rows, again[1]], key=str)


def test_the_ledger_adds_up_by_source_and_in_total(warehouse: Engine, events: pa.Table) -> None:
    # a.csv: rows 1 to 10, of which 9 and 10 repeat 1 and 2, and 11 is bad; b.csv: repeats 1 to 5 of a.csv, 6 is new.
    a = pa.concat_tables([log(events.slice(0, 8), "a.csv", 1), log(events.slice(0, 2), "a.csv", 9)])
    b = pa.concat_tables([log(events.slice(0, 5), "b.csv", 1), log(events.slice(20, 1), "b.csv", 6)])
    warehouse.load("shop.event_log", pa.concat_tables([b, a, a.set_column(17, EVENT_LOG.field(17), [[LATER] * 10])]))
    bad = [
        ("invalid_time", None, b"x", source, 11, time, None) for source in ("a.csv", "c.csv") for time in (NOW, LATER)
    ]
    warehouse.load("shop.bad_event_log", _table(bad, BAD_EVENT_LOG))
    assert sorted(map(_values, view(warehouse, "ledger")), key=str) == sorted(
        [
            ("a.csv", 11, 8, 2, 1),
            ("b.csv", 6, 1, 5, 0),
            ("c.csv", 1, 0, 0, 1),
            (None, 18, 9, 7, 2),
        ],
        key=str,
    )


def test_the_newest_count_of_a_minute_holds_and_shards_and_epochs_add_up(warehouse: Engine) -> None:
    minute, next_minute = datetime(2019, 10, 1, 10, 0, tzinfo=UTC), datetime(2019, 10, 1, 10, 1, tzinfo=UTC)
    rows = [
        (minute, "purchase", 5, Decimal("10.01"), 0, 1, False, NOW),
        (minute, "purchase", 7, Decimal("20.02"), 0, 1, False, LATER),
        (minute, "purchase", 7, Decimal("20.02"), 0, 1, False, LATER),
        (minute, "purchase", 1, Decimal("1.00"), 1, 1, False, NOW),
        (minute, "purchase", 2, Decimal("2.00"), 0, 2, False, NOW),
        (minute, "view", 3, Decimal("0.00"), 0, 1, False, NOW),
        (next_minute, "view", 4, Decimal("0.00"), 0, 1, False, NOW),
    ]
    warehouse.load("shop.activity_log", _table(rows, ACTIVITY_LOG))
    assert sorted(map(_values, view(warehouse, "activity_by_minute"))) == [
        (minute, "purchase", 10, Decimal("23.02")),
        (minute, "view", 3, Decimal("0.00")),
        (next_minute, "view", 4, Decimal("0.00")),
    ]


def test_an_epoch_that_counted_an_hour_anew_replaces_all_earlier_ones_of_any_shard(warehouse: Engine) -> None:
    ten, eleven = (datetime(2019, 10, 1, hour, 5, tzinfo=UTC) for hour in (10, 11))
    rows = [
        (ten, "view", 100, Decimal("0.00"), 0, 1, False, LATER),
        (ten, "view", 100, Decimal("0.00"), 1, 2, True, LATER),
        (ten, "view", 3, Decimal("0.00"), 0, 3, True, NOW),
        (ten, "view", 4, Decimal("0.00"), 2, 3, False, NOW),
        (ten, "view", 5, Decimal("0.00"), 0, 4, False, NOW),
        (eleven, "view", 6, Decimal("0.00"), 0, 1, False, NOW),
    ]
    warehouse.load("shop.activity_log", _table(rows, ACTIVITY_LOG))
    found = sorted(map(_values, view(warehouse, "activity_by_minute")))
    assert found == [(ten, "view", 12, Decimal("0.00")), (eleven, "view", 6, Decimal("0.00"))]


def test_sessions_put_together_from_parts_are_those_found_in_events(warehouse: Engine, events: pa.Table) -> None:
    parts = list(_session_parts(events.to_pylist()))
    outdated = [(*part[:5], 99, *part[6:-1], NOW - timedelta(days=1)) for part in parts[::3]]
    warehouse.load("shop.session_log", _table([*parts, *outdated, *parts[::2]], SESSION_LOG))
    found = warehouse.query(compile_view("sessions", "shop", warehouse.dialect))
    warehouse.load("shop.events", events)
    expected = warehouse.query(compile_fact("sessions", warehouse.dialect, events="shop.events"))
    assert len(expected) == len(find_sessions(events.to_pylist()))
    assert sorted(_rows(found)) == sorted(_rows(expected.select(found.column_names)))
    crossing = pc.not_equal(
        pc.floor_temporal(found.column("session_start"), unit="hour"),
        pc.floor_temporal(found.column("session_end"), unit="hour"),
    )
    assert pc.sum(crossing).as_py() > 10, "too few sessions have several parts for this test to mean much"


def test_parts_of_other_shards_and_epochs_bridge_a_gap(warehouse: Engine) -> None:
    def part(start: int, end: int, shard: int, epoch: int) -> tuple[Any, ...]:
        hour = datetime(2019, 10, 1, 10, tzinfo=UTC)
        first, last = hour + timedelta(minutes=start), hour + timedelta(minutes=end)
        return ("s", hour, first, last, 10 - shard, 2, 1, 1, 0, 0, Decimal("0.50"), shard, epoch, False, NOW)

    # 0 to 5 and 40 to 45 are 35 minutes apart; 20 to 30 of another shard joins them. 45 to 75: exactly 30 minutes.
    warehouse.load(
        "shop.session_log",
        _table([part(40, 45, 0, 1), part(0, 5, 0, 0), part(20, 30, 1, 0), part(75, 80, 0, 0)], SESSION_LOG),
    )
    found = sorted((row["session_start"].minute, row["user_id"], row["events"]) for row in view(warehouse, "sessions"))
    assert found == [(0, 9, 6), (15, 10, 2)]


def _session_parts(rows: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """What a pipeline writes of each session: a row for each hour, shard and part without a gap."""
    for session in find_sessions(rows):
        cells: dict[tuple[datetime, int], list[dict[str, Any]]] = {}
        for row in session.rows:
            hour = row["event_time"].replace(minute=0, second=0, microsecond=0)
            cells.setdefault((hour, row["user_id"] % 4), []).append(row)
        for (hour, shard), acts in cells.items():
            types = [act["event_type"] for act in acts]
            yield (
                *(session.key, hour, acts[0]["event_time"], acts[-1]["event_time"]),
                min(act["user_id"] for act in acts),
                len(acts),
                *map(types.count, ("view", "cart", "remove_from_cart", "purchase")),
                price_sum(act for act in acts if act["event_type"] == "purchase"),
                *(shard, 1, False, NOW),
            )


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(map(_values, table.to_pylist()))


def _values(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.values())
