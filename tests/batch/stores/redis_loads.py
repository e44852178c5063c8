"""Loads of the Redis store without Spark: events as Parquet files, and tasks that run in this process."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from redis import Redis

from app.analytics import QUESTIONS
from app.analytics.sql import compile_question
from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.redis import RedisSettings, RedisStore, Shop
from app.events.csv_codec import HEADER
from app.local.process import LOOPBACK
from app.local.redis import RedisServer
from tests.batch.staged import Here as Here
from tests.batch.staged import ledger_of as ledger_of
from tests.batch.staged import stage as stage


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


def answer_to(question: str, events: pa.Table) -> pa.Table:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("events", events)
        found = database.sql(compile_question(question, "duckdb")).to_arrow_table()
    return found.cast(QUESTIONS[question].schema)


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
