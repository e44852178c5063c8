"""Loads of the Redis store without Spark: events as Parquet files, and tasks that run in this process."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from redis import Redis

from app.analytics import QUESTIONS
from app.analytics.sql import compile_question
from app.batch.folder import Folder
from app.batch.ingest import Ingested, SourceCounts
from app.batch.stores import Run
from app.batch.stores.redis import RedisSettings, RedisStore, Shop
from app.events.csv_codec import HEADER, decode
from app.events.ledger import Ledger
from app.events.schema import EVENTS
from app.local.process import LOOPBACK
from app.local.redis import RedisServer

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Here:
    """Runs tasks in this process, one after the other, and `before` each of them what a test wants to happen."""

    at_once: int = 2
    before: Callable[[int], None] = lambda _: None

    def run(
        self,
        task: Callable[[Item], Iterable[Result]],
        items: Sequence[Item],
        count: Callable[[Result], int] = lambda _: 1,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Result]:
        results: list[Result] = []
        for number, item in enumerate(items):
            self.before(number)
            results += task(item)
        return results


def settings_of(server: RedisServer, **changed: Any) -> RedisSettings:
    quick: dict[str, Any] = {"timeout_seconds": 10, "retry_seconds": 30, "lock_seconds": 10}
    own: dict[str, Any] = {"port": server.port, "password": server.password}
    return RedisSettings(LOOPBACK, **(own | quick | changed))


def client_of(server: RedisServer) -> Redis:
    return Redis(LOOPBACK, server.port, password=server.password, decode_responses=True)


def csv_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows of an event file, after its header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return HEADER + b"\n" + text.getvalue().encode()


def stage(folder: Path, data: bytes) -> tuple[Ingested, pa.Table]:
    """The file's events, each once, in two Parquet files a day, and the same as one table."""
    decoded = decode(data, source="events.csv")
    rows, bad = len(decoded.text), len(decoded.bad)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("decoded", pa.Table.from_batches([decoded.events.select(EVENTS.names)]))
        every = database.sql("SELECT DISTINCT ON (event_id) * FROM decoded").to_arrow_table().cast(EVENTS)
        database.register("every", every)
        days = database.sql("SELECT DISTINCT CAST(event_time AS DATE)::VARCHAR FROM every").fetchall()
        target = Folder(str(folder))
        target.make("events", "bad_events")
        for (day,) in days:
            of_day = database.sql(f"SELECT * FROM every WHERE CAST(event_time AS DATE) = '{day}'").to_arrow_table()
            half = len(of_day) // 2
            for number, part in enumerate((of_day.slice(0, half), of_day.slice(half))):
                target.write_table(f"events/event_date={day}/part-{number}.parquet", part.cast(EVENTS))
    if bad:
        target.write_table("bad_events/part-0.parquet", pa.Table.from_batches([decoded.bad]))
    counts = SourceCounts("events.csv", len(data), rows, len(every), rows - len(every) - bad, bad)
    return Ingested(target, (counts,)), every


def answer_to(question: str, events: pa.Table) -> pa.Table:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("events", events)
        found = database.sql(compile_question(question, "duckdb")).to_arrow_table()
    return found.cast(QUESTIONS[question].schema)


def ledger_of(ingested: Ingested) -> Ledger:
    (counts,) = ingested.sources
    return Ledger(counts.rows, counts.events, counts.duplicates, counts.bad)


@contextmanager
def opened(settings: RedisSettings, run: Run | None = None) -> Iterator[RedisStore]:
    """A store that a run has opened, closed at the end."""
    store = RedisStore(settings)
    try:
        store.open(run or Run.begin())
        yield store
    finally:
        store.close()


def fill(store: RedisStore, ingested: Ingested, events: pa.Table, tasks: Here | None = None) -> None:
    """All steps before the commit."""
    store.write(tasks or Here(), ingested)
    for question in ("session_funnel", "purchase_conversion_rate", "top_brands"):
        store.write_answer(question, answer_to(question, events))
    store.write_ledger(ledger_of(ingested), ingested, {})
    store.verify(ledger_of(ingested))


def load(settings: RedisSettings, ingested: Ingested, events: pa.Table, tasks: Here | None = None) -> None:
    """A whole run."""
    with opened(settings) as store:
        fill(store, ingested, events, tasks)
        store.commit()


def content(server: RedisServer) -> dict[str, Any]:
    """All that is in the server, without what is of a run and not of its events."""
    with client_of(server) as client:
        found: dict[str, Any] = {}
        for key in sorted(client.scan_iter(count=10_000)):
            match client.type(key):
                case "hash":
                    found[key] = client.hgetall(key)
                case "zset":
                    found[key] = client.zrange(key, 0, -1, withscores=True)
                case "set":
                    found[key] = client.smembers(key)
                case _:
                    found[key] = client.pfcount(key)
            assert client.ttl(key) == -1, key
    run = found.get("{shop}:run", {})
    for name in ("id", "started_at", "finished_at"):
        run.pop(name, None)
    return found


def shown(settings: RedisSettings) -> int:
    """Events of the run that is shown, the same wherever one looks."""
    with Shop(settings) as shop:
        by_hour = sum(sum(hour.events.values()) for day in shop.days() for hour in shop.hours(day).values())
        by_day = sum(sum(shop.day(day).events.values()) for day in shop.days())
        assert by_hour == by_day == sum(shop.days().values()) == int(shop.run().get("stored", 0))
    return by_hour
