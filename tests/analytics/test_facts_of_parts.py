"""Facts that are made from parts of the events and put together are those of all events."""

import random

import pyarrow as pa
import pytest

from app.analytics import FACTS, QUESTIONS
from app.analytics.sql import (
    CompileError,
    columns_of,
    compile_fact,
    compile_merge,
    compile_question,
    mergeable_facts,
)
from tests.analytics.engines import DuckDb, Engine


def parts_of(events: pa.Table, count: int) -> list[pa.Table]:
    """Events in parts by chance, so that sessions, users and hours are in several of them."""
    chance = random.Random(count)
    numbers = [chance.randrange(count) for _ in range(len(events))]
    return [events.filter(pa.array([number == part for number in numbers])).combine_chunks() for part in range(count)]


def made_of_parts(events: pa.Table, engine: Engine, duckdb: DuckDb) -> list[str]:
    """Store all facts in an engine, those that can be merged as the batch job makes them; their names."""
    for name in mergeable_facts():
        parts = []
        for part in parts_of(events, 5):
            duckdb.load("part_events", part.select(columns_of(name)))
            sql = compile_fact(name, "duckdb", events="part_events")
            parts.append(duckdb.query(sql).cast(FACTS[name].schema))
        engine.load(f"{engine.path}{name}_of_parts", pa.concat_tables(parts))
        merged = engine.query(compile_merge(name, engine.dialect, parts=f"{engine.path}{name}_of_parts"))
        engine.load(f"{engine.path}{name}", merged.cast(FACTS[name].schema))
    return list(mergeable_facts())


def rows(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


def test_merged_facts_are_those_of_all_events(many_events: pa.Table, duckdb_engine: DuckDb) -> None:
    stored = made_of_parts(many_events, duckdb_engine, duckdb_engine)
    duckdb_engine.load("events", many_events)
    for name in FACTS:
        # May have several rows for one half-hour; the facts that are made of them show that this is no matter.
        if name in ("half_hours", "session_parts"):
            continue
        sql = compile_fact(name, "duckdb", facts=stored)
        of_parts = duckdb_engine.query(f"FROM {name}" if name in stored else sql)
        assert rows(of_parts) == rows(duckdb_engine.query(compile_fact(name, "duckdb"))), name


@pytest.mark.integration
def test_answers_from_merged_facts_are_those_of_all_events(
    many_events: pa.Table, spark_engine: Engine, duckdb_engine: DuckDb
) -> None:
    stored = made_of_parts(many_events, spark_engine, duckdb_engine)
    for engine in (spark_engine, duckdb_engine):
        engine.load("events", many_events)
    for name, question in QUESTIONS.items():
        found = spark_engine.query(compile_question(name, "pyspark", facts=stored)).cast(question.schema)
        expected = duckdb_engine.query(compile_question(name, "duckdb")).cast(question.schema)
        assert found.to_pylist() == expected.to_pylist(), name


def test_a_fact_that_cannot_be_merged_is_told() -> None:
    with pytest.raises(CompileError, match="no fact 'sessions' that can be merged; there are: activity"):
        compile_merge("sessions", "duckdb", parts="parts")
