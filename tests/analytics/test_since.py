"""Views and answers over logs whose partitions must be limited by every query."""

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from app.analytics import QUESTIONS
from app.analytics.views import VIEWS, compile_answer, compile_view
from app.events.schema import EVENT_LOG, EVENTS
from app.events.warehouse import TABLES
from tests.analytics.answers import ask, rows_of
from tests.analytics.engines import BigQuery, DuckDb
from tests.analytics.events import generated_events

SINCE = datetime(2019, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", [*VIEWS, *QUESTIONS])
def test_each_log_is_read_with_a_filter_on_its_partitions(name: str) -> None:
    sql = (compile_view if name in VIEWS else compile_answer)(name, "p.shop", since=SINCE)
    read = re.findall(r"FROM `p`\.`shop`\.`(\w+)` AS `(\w+)`\s+WHERE\s+`(\w+)`\.`(\w+)` >= TIMESTAMP\('2019-01-01", sql)
    assert len(read) == len(re.findall(r"`shop`\.`", sql)) > 0
    assert all(alias == filtered and TABLES[log].partition_by == column for log, alias, filtered, column in read)


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return generated_events(2_000)


@pytest.fixture
def logged(duckdb_engine: DuckDb, events: pa.Table) -> DuckDb:
    """An engine whose event log has each event twice, in two files."""
    duckdb_engine.make_schema("shop")
    columns = [events.column(name) for name in EVENTS.names]
    parts = [
        pa.table([*columns, [source] * len(events), range(len(events)), [SINCE] * len(events)], EVENT_LOG)
        for source in ("a.csv", "b.csv")
    ]
    duckdb_engine.load("shop.event_log", pa.concat_tables(parts))
    duckdb_engine.load("events", events)
    return duckdb_engine


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_from_the_logs_is_that_from_the_events(logged: DuckDb, name: str) -> None:
    found = logged.query(compile_answer(name, "shop", "duckdb", since=SINCE))
    assert rows_of(QUESTIONS[name], found) == ask(name, logged)


@pytest.mark.integration
def test_bigquery_answers_from_the_logs_too(logged: DuckDb, bigquery_engine: BigQuery, events: pa.Table) -> None:
    columns = [events.column(name) for name in EVENTS.names]
    log = pa.table([*columns, ["a.csv"] * len(events), range(len(events)), [SINCE] * len(events)], EVENT_LOG)
    bigquery_engine.load("shop.event_log", pa.concat_tables([log, log]))
    for name in ("daily_revenue", "session_funnel"):
        found = bigquery_engine.query(compile_answer(name, "shop", since=SINCE))
        assert rows_of(QUESTIONS[name], found) == ask(name, logged), name


def test_what_is_before_the_beginning_is_left_out(logged: DuckDb, events: pa.Table) -> None:
    times = sorted(events.column("event_time").to_pylist())
    late = times[len(times) // 2]
    found = logged.query(compile_view("events", "shop", "duckdb", since=late))
    assert len(found) == sum(time >= late for time in times)
    assert len(logged.query(compile_view("events", "shop", "duckdb", since=times[-1] + timedelta(days=1)))) == 0
