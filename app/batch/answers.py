"""Facts and answers: each fact is made once, by DuckDB in Spark's tasks; Spark answers every question from the facts.

parts of the events ───── facts of each part ── put together ──┬── answers
shares of the sessions ── facts of their sessions ─────────────┘
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from app.analytics import FACTS, QUESTIONS
from app.analytics.facts import Sums
from app.analytics.sql import (
    columns_of,
    compile_fact,
    compile_merge,
    compile_question,
    part_facts,
    session_facts,
)
from app.batch.duck_facts import Merge, PartFacts, SessionFacts, folder_of, plan_merge, plan_sessions
from app.batch.ingest import Ingested, read_parquet
from app.batch.tasks import Tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def make_facts(tasks: Tasks, ingested: Ingested, made: Callable[[int], None] = lambda _: None) -> dict[str, bool]:
    """Make the files of facts below the run's folder; the name of each, and whether it has files.

    `made` is called with the number of facts made so far.
    """
    facts = _make_part_facts(tasks, ingested)
    made(len(facts))
    facts |= _make_session_facts(tasks, ingested)
    made(len(FACTS))
    return facts


def show_facts(spark: "SparkSession", ingested: Ingested, facts: Mapping[str, bool]) -> None:
    """Make the temporary views that questions read: each fact that was made under its own name."""
    for name, has in facts.items():
        path = ingested.folder.path(folder_of(name))
        read_parquet(spark, FACTS[name].schema, path, is_empty=not has).createOrReplaceTempView(name)


def _make_part_facts(tasks: Tasks, ingested: Ingested) -> dict[str, bool]:
    """Make the facts of each part, and put them together; the name of each, and whether it has rows."""
    parts = tuple(part for part in ingested.parts if part.events)
    names = part_facts()
    merges = {name: merge for name in names if isinstance(merge := FACTS[name].merge, Sums)}
    facts = PartFacts(
        sql={name: compile_fact(name, "duckdb") for name in names},
        schemas={name: FACTS[name].schema for name in names},
        keys={name: merge.keys_of(FACTS[name].schema.names) for name, merge in merges.items()},
        columns=_columns_of(names),
    )
    made = tasks.run(partial(facts.make, folder=ingested.folder), parts)
    rows = {name: sum(one[name] for one in made) for name in names}
    folder = ingested.folder
    tasks.run(
        lambda merge: merge.make(folder),
        [
            Merge(name, compile_merge(name, "duckdb", parts="parts"), FACTS[name].schema, parts, shares)
            for name in merges
            for shares in plan_merge(rows[name])
        ],
    )
    return {name: rows[name] > 0 for name in names}


def _make_session_facts(tasks: Tasks, ingested: Ingested) -> dict[str, bool]:
    """Make the facts of sessions that are read afterwards; the name of each, and whether it has files."""
    names = session_facts()
    firsts = tuple(name for name in names if FACTS[name].merge)
    kept = [name for name in names if not FACTS[name].is_step]
    files = tuple(file for part in ingested.parts for file in part.event_files())
    facts = SessionFacts(
        firsts=firsts,
        sql={
            name: compile_fact(name, "duckdb", facts=() if name in firsts else names[:place])
            for place, name in enumerate(names)
        },
        schemas={name: FACTS[name].schema for name in kept},
        columns=_columns_of(firsts),
        files=files,
    )
    made = tasks.run(partial(facts.make, folder=ingested.folder), plan_sessions(len(files)))
    return dict.fromkeys(kept, bool(made))


def _columns_of(names: Sequence[str]) -> tuple[str, ...]:
    return tuple({column: None for name in names for column in columns_of(name)})


def answer_questions(spark: "SparkSession", at_once: int) -> Iterator[tuple[str, pa.Table]]:
    """The answer to every question, its columns and types as `Question.schema` says, sorted as the question says.

    `make_facts` and `show_facts` come first.
    """
    with ThreadPoolExecutor(at_once, "question") as pool:
        yield from zip(QUESTIONS, pool.map(lambda name: _answer(spark, name, FACTS), QUESTIONS), strict=True)


def _answer(spark: "SparkSession", name: str, facts: Collection[str]) -> pa.Table:
    answer = spark.sql(compile_question(name, "pyspark", facts=facts)).toArrow()
    schema = QUESTIONS[name].schema
    return answer.select(schema.names).cast(schema)
