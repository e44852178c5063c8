"""Facts and answers: each fact is made once, then every question is answered from the facts.

parts of the events ───── facts of each part (DuckDB) ── facts (Spark) ──┬── answers (Spark)
shares of the sessions ── facts of their sessions (DuckDB) ──────────────┘
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from app.analytics import FACTS, QUESTIONS
from app.analytics.facts import as_they_are
from app.analytics.sql import (
    columns_of,
    compile_fact,
    compile_merge,
    compile_question,
    facts_of,
    mergeable_facts,
    session_facts,
)
from app.batch.duck_facts import PartFacts, SessionFacts, folder_of
from app.batch.folder import Folder
from app.batch.ingest import Ingested, read_parquet
from app.batch.session_shares import plan_shares
from app.batch.settings import FactsIn
from app.batch.tasks import Tasks

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

EVENTS_VIEW: Final = "events"


def make_facts(
    spark: "SparkSession",
    tasks: Tasks,
    ingested: Ingested,
    keep_in: FactsIn,
    at_once: int,
    made: Callable[[int], None],
) -> None:
    """Make the temporary views that questions read: the events, and each fact under its own name.

    A fact is begun when those that it reads are made, `at_once` in parallel, so that the last tasks of one do not leave
    a core without work. `made` is called with the number of facts made so far.
    """
    ingested.events(spark).createOrReplaceTempView(EVENTS_VIEW)
    _make_part_facts(spark, tasks, ingested)
    _make_session_facts(spark, tasks, ingested)
    stored = set(session_facts())
    made(len(stored))
    waiting = {name: set(facts_of(name)) for name in FACTS if name not in stored}
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(at_once, "fact") as pool:
        while waiting or running:
            for name in [name for name, reads in waiting.items() if reads <= stored]:
                reads = waiting.pop(name)
                running[pool.submit(_make_fact, spark, name, reads, ingested.folder, keep_in)] = name
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                stored.add(running.pop(done))
                done.result()
                made(len(stored))


def _make_part_facts(spark: "SparkSession", tasks: Tasks, ingested: Ingested) -> None:
    """Make the facts of each part, and a view of them for each fact."""
    with_events = [part for part in ingested.parts if part.events]
    names = [name for name in mergeable_facts() if not FACTS[name].of_sessions]
    part_facts = PartFacts(
        sql={name: compile_fact(name, "duckdb") for name in names},
        schemas={name: FACTS[name].schema for name in names},
        columns=_columns_of(names),
    )
    tasks.run(partial(part_facts.make, folder=ingested.folder), with_events)
    for name in names:
        _made_by_duckdb(spark, name, ingested, bool(with_events)).createOrReplaceTempView(_parts_view(name))


def _make_session_facts(spark: "SparkSession", tasks: Tasks, ingested: Ingested) -> None:
    """Make the facts of sessions, and a view of each that is read afterwards."""
    names = session_facts()
    kept = names[1:]  # the first is there for the others alone
    files = tuple(file for part in ingested.parts for file in part.event_files())
    facts = SessionFacts(
        first=names[0],
        sql={name: compile_fact(name, "duckdb", facts=names[:place]) for place, name in enumerate(names)},
        schemas={name: FACTS[name].schema for name in kept},
        columns=_columns_of(names[:1]),
        files=files,
    )
    made = tasks.run(partial(facts.make, folder=ingested.folder), plan_shares(len(files)))
    for name in kept:
        _made_by_duckdb(spark, name, ingested, bool(made)).createOrReplaceTempView(name)


def _made_by_duckdb(spark: "SparkSession", name: str, ingested: Ingested, has_rows: bool) -> "DataFrame":
    return read_parquet(spark, FACTS[name].schema, ingested.folder.path(folder_of(name)), is_empty=not has_rows)


def _columns_of(names: Sequence[str]) -> tuple[str, ...]:
    return tuple({column: None for name in names for column in columns_of(name)})


def _parts_view(fact: str) -> str:
    return f"{fact}_of_parts"


def _make_fact(spark: "SparkSession", name: str, reads: Collection[str], folder: Folder, keep_in: FactsIn) -> None:
    merge = FACTS[name].merge
    if merge is None:
        fact = spark.sql(compile_fact(name, "pyspark", events=EVENTS_VIEW, facts=reads))
    else:
        fact = spark.sql(compile_merge(name, "pyspark", parts=_parts_view(name)))
    if merge is as_they_are:  # the files of the parts are the fact
        fact.createOrReplaceTempView(name)
        return
    if keep_in == "memory":
        fact = fact.persist()
        fact.count()
    else:
        path = folder.path(f"facts/{name}")
        fact.write.mode("overwrite").parquet(path)
        fact = spark.read.schema(fact.schema).parquet(path)
    fact.createOrReplaceTempView(name)


def answer_questions(spark: "SparkSession", at_once: int) -> Iterator[tuple[str, pa.Table]]:
    """The answer to every question, its columns and types as `Question.schema` says, sorted as the question says.

    `make_facts` comes first.
    """
    with ThreadPoolExecutor(at_once, "question") as pool:
        yield from zip(QUESTIONS, pool.map(lambda name: _answer(spark, name, FACTS), QUESTIONS), strict=True)


def _answer(spark: "SparkSession", name: str, facts: Collection[str]) -> pa.Table:
    answer = spark.sql(compile_question(name, "pyspark", events=EVENTS_VIEW, facts=facts)).toArrow()
    schema = QUESTIONS[name].schema
    return answer.select(schema.names).cast(schema)
