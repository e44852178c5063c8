"""Compile questions and facts to SQL.

    compile_question("event_types", "bigquery", events="my-project.shop.events")
    compile_question("session_funnel", "pyspark", facts=("visits", "sessions"))

An engine that stores facts (a batch job) runs `compile_fact` for each of FACTS in order, each with the names of those
stored before it, keeps each result under the fact's name, and then answers from them. Without `facts` all is inlined.

The engine's session must be in UTC: `SET TimeZone = 'UTC'` in DuckDB, `spark.sql.session.timeZone` in Spark.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, Literal

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.config import Config

from app.analytics.facts import FACTS
from app.analytics.registry import QUESTIONS
from app.events.schema import EVENTS

Dialect = Literal["bigquery", "pyspark", "duckdb"]
DIALECTS: Final[tuple[Dialect, ...]] = ("bigquery", "pyspark", "duckdb")


class CompileError(ValueError):
    """A question, a fact or a period was asked for that there is not."""


def compile_question(
    name: str,
    dialect: Dialect,
    *,
    events: str = "events",
    facts: Collection[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """Give the SQL that answers a question, sorted.

    `events` names the table (`table`, `dataset.table` or `project.dataset.table`), `facts` those facts that exist as
    tables of their own name beside it. `start` (inclusive) and `end` (exclusive), both with a time zone, limit the
    events by their time; stored facts must have been made with the same limits.
    Raises CompileError for a name that is not known and a time without zone.
    """
    if name not in QUESTIONS:
        raise CompileError(f"no question {name!r}; there are: {', '.join(QUESTIONS)}")
    return _compile(QUESTIONS[name].answer, dialect, events, facts, start, end)


def compile_fact(
    name: str,
    dialect: Dialect,
    *,
    events: str = "events",
    facts: Collection[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> str:
    """Give the SQL that makes a fact, unsorted; the arguments are those of `compile_question`."""
    if name not in FACTS:
        raise CompileError(f"no fact {name!r}; there are: {', '.join(FACTS)}")
    return _compile(FACTS[name].build, dialect, events, [fact for fact in facts if fact != name], start, end)


def compile_merge(name: str, dialect: Dialect, *, parts: str) -> str:
    """Give the SQL that makes a fact from the table `parts`: the rows of that fact for all parts of the events.

    Raises CompileError where a fact cannot be made so.
    """
    merge = FACTS[name].merge if name in FACTS else None
    if merge is None:
        raise CompileError(f"no fact {name!r} that can be merged; there are: {', '.join(mergeable_facts())}")
    return to_sql(merge(table(ibis.Schema.from_pyarrow(FACTS[name].schema), parts)), dialect)


def mergeable_facts() -> tuple[str, ...]:
    """Name the facts that can be made from parts of the events."""
    return tuple(name for name, fact in FACTS.items() if fact.merge)


def part_facts() -> tuple[str, ...]:
    """Name the facts that can be made from any parts of the events, but for those of sessions."""
    return tuple(name for name in mergeable_facts() if not FACTS[name].of_sessions)


def session_facts() -> tuple[str, ...]:
    """Name the facts that can be made from parts of the events with whole sessions, each after those that it reads."""
    return tuple(name for name, fact in FACTS.items() if fact.of_sessions)


def columns_of(name: str) -> tuple[str, ...]:
    """Name the columns of the events that a fact reads; it may be one too many."""
    read = {field.name for field in FACTS[name].build(events_table("events")).op().find(ops.Field)}
    return tuple(column for column in EVENTS.names if column in read)


def events_table(name: str) -> ir.Table:
    """Stand for the events table of that name in an expression."""
    return table(ibis.Schema.from_pyarrow(EVENTS), name)


def table(schema: ibis.Schema, name: str) -> ir.Table:
    """Stand for a table (`table`, `dataset.table` or `project.dataset.table`) in an expression."""
    *path, plain = name.split(".")
    database = path[-1] if path else None
    catalog = path[-2] if len(path) > 1 else None
    return ibis.table(schema, name=plain, database=database, catalog=catalog)


def to_sql(expression: ir.Table, dialect: Dialect) -> str:
    """Give the SQL of an expression on tables made by `table`."""
    if ibis.options.pyspark is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(expression, dialect=dialect))


class _SparkOptions(Config):  # type: ignore[misc]
    """Stands for the options of Ibis' Spark backend, which come with a connection (and pandas) otherwise."""

    treat_nan_as_null: bool = False


def _compile(
    build: Callable[[ir.Table], ir.Table],
    dialect: Dialect,
    events: str,
    facts: Collection[str],
    start: datetime | None,
    end: datetime | None,
) -> str:
    if unknown := set(facts) - set(FACTS):
        raise CompileError(f"no facts {sorted(unknown)}; there are: {', '.join(FACTS)}")
    base = _limited(events_table(events), start, end)
    return to_sql(_from_facts(build, base, events, facts), dialect)


def _from_facts(build: Callable[[ir.Table], ir.Table], base: ir.Table, events: str, facts: Collection[str]) -> ir.Table:
    """Put the table of a fact where the expression makes that fact."""
    beside = events.rpartition(".")[0]
    stored = {}
    for fact in facts:
        made = FACTS[fact].build(base)
        stored[made.op()] = table(made.schema(), f"{beside}.{fact}" if beside else fact).op()
    return build(base).op().replace(stored).to_expr()


def _limited(events: ir.Table, start: datetime | None, end: datetime | None) -> ir.Table:
    for time in (start, end):
        if time is not None and time.tzinfo is None:
            raise CompileError(f"{time} has no time zone; use for example datetime(2019, 10, 1, tzinfo=UTC)")
    if start is not None:
        events = events.filter(events.event_time >= ibis.literal(start, "timestamp('UTC', 6)"))
    if end is not None:
        events = events.filter(events.event_time < ibis.literal(end, "timestamp('UTC', 6)"))
    return events
