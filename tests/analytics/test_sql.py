"""What can be asked of the compiler besides a question by its name."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from app.analytics import FACTS, QUESTIONS
from app.analytics.sql import DIALECTS, CompileError, compile_fact, compile_question
from tests.analytics.answers import ask, rows_of
from tests.analytics.engines import DuckDb
from tests.analytics.events import generated_events


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return generated_events(2_000)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_may_be_named_with_its_dataset_and_project(dialect: str) -> None:
    sql = compile_question("event_types", dialect, events="my-project.shop.events_2019")  # type: ignore[arg-type]
    quote = '"' if dialect == "duckdb" else "`"
    assert quote.join(["", "my-project", ".", "shop", ".", "events_2019", ""]) in sql


def test_stored_facts_stand_beside_the_events() -> None:
    sql = compile_question("session_funnel", "bigquery", events="my-project.shop.events", facts=["sessions"])
    assert "`my-project`.`shop`.`sessions`" in sql
    assert "events`" not in sql.replace("`t0`.`events`", "")


def facts_in(sql: str) -> set[str]:
    return {fact for fact in FACTS if f'"{fact}" AS "t' in sql}


@pytest.mark.parametrize("name", QUESTIONS)
def test_where_all_facts_are_stored_a_question_reads_no_events(name: str) -> None:
    sql = compile_question(name, "duckdb", events="all_events", facts=list(FACTS))
    assert facts_in(sql)
    assert not facts_in(sql) & {"acts", "half_hours", "session_parts"}  # which are for other facts, and not kept
    assert "all_events" not in sql


def test_each_fact_comes_after_those_it_is_built_from() -> None:
    order = list(FACTS)
    for fact in FACTS:
        needed = facts_in(compile_fact(fact, "duckdb", events="all_events", facts=order))
        assert all(order.index(one) < order.index(fact) for one in needed)


def test_a_period_begins_with_its_start_and_ends_before_its_end(events: pa.Table, duckdb_engine: DuckDb) -> None:
    times = sorted(events.column("event_time").to_pylist())
    start, end = times[len(times) // 3], times[len(times) * 2 // 3]
    column = events.column("event_time")
    inside = events.filter(pc.and_(pc.greater_equal(column, pa.scalar(start)), pc.less(column, pa.scalar(end))))
    assert 0 < len(inside) < len(events)
    for name in ("daily_activity", "bought_together", "bot_sessions"):
        duckdb_engine.load("events", events)
        found = duckdb_engine.query(compile_question(name, "duckdb", start=start, end=end))
        duckdb_engine.load("events", inside)
        assert rows_of(QUESTIONS[name], found) == ask(name, duckdb_engine), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "daily"}, "no question 'daily'; there are: daily_activity, "),
        ({"name": "event_types", "facts": ["visits"]}, "no facts ['visits']; there are: activity, "),
        ({"name": "event_types", "start": datetime(2019, 10, 1)}, "has no time zone"),  # noqa: DTZ001
    ],
)
def test_what_is_not_there_is_said_with_what_is(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(CompileError) as error:
        compile_question(dialect="duckdb", **arguments)  # type: ignore[arg-type]
    assert says in str(error.value)


def test_an_unknown_fact_is_said() -> None:
    with pytest.raises(CompileError, match="no fact 'visits'"):
        compile_fact("visits", "duckdb")


def test_a_time_of_another_zone_is_the_same_instant(events: pa.Table, duckdb_engine: DuckDb) -> None:
    duckdb_engine.load("events", events)
    tokyo = datetime.fromisoformat("2019-10-20T09:00:00+09:00")
    answers = [
        duckdb_engine.query(compile_question("event_types", "duckdb", start=start))
        for start in (tokyo, tokyo.astimezone(UTC))
    ]
    assert answers[0].equals(answers[1])
