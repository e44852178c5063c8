"""Facts and answers: each fact is made once, then every question is answered from the facts.

parts of the events ── facts of each part (DuckDB) ── facts (Spark) ── answers (Spark)
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from app.analytics import FACTS, QUESTIONS
from app.analytics.facts import as_they_are
from app.analytics.sql import columns_of, compile_fact, compile_merge, compile_question, facts_of, mergeable_facts
from app.batch.folder import Folder
from app.batch.ingest import Ingested, read_parquet
from app.batch.part_facts import PartFacts, folder_of
from app.batch.settings import FactsIn
from app.batch.tasks import Tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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
    waiting = {name: set(facts_of(name)) for name in FACTS}
    running: dict[Future[None], str] = {}
    stored: set[str] = set()
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
    names = mergeable_facts()
    part_facts = PartFacts(
        sql={name: compile_fact(name, "duckdb") for name in names},
        schemas={name: FACTS[name].schema for name in names},
        columns=tuple({column: None for name in names for column in columns_of(name)}),
    )
    tasks.run(partial(part_facts.make, folder=ingested.folder), with_events)
    for name in names:
        path = ingested.folder.path(folder_of(name))
        parts = read_parquet(spark, FACTS[name].schema, path, is_empty=not with_events)
        parts.createOrReplaceTempView(_parts_view(name))


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
