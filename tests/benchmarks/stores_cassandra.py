"""Events into the Cassandra store, beside one insert an event and beside what the server takes.

Ours: Spark's tasks read Parquet files and write all tables of the store. Naive: a client inserts an event at a time, as
a row of a table of events. It gets fewer events, since it is slow; its rate is what counts. Limit: the batches of ours,
all made before, sent by as many connections: the server alone. Cassandra has no tool that loads faster over its
protocol.

The rates are medians of rounds in which each of the ways has its turn, after one to warm up the server's Java.
`driver_batches` in the run's facts is what the client's own batches reach, one for each user, of rows like the naive
ones; `counting` is the rate at which the server counts what a load left.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from cassandra.cluster import Session as DriverSession
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType

from app.batch.folder import Folder
from app.batch.ingest import Ingested
from app.batch.session_shares import by_share, write_shares
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.stores import Run
from app.batch.stores.cassandra import CassandraSettings, CassandraStore
from app.batch.stores.cassandra.held import count
from app.batch.stores.cassandra.load import Item, Load, Written, items_of, write_events, write_item
from app.batch.stores.cassandra.rows import Rows, Writer, writing
from app.batch.stores.cassandra.schema import SLOTS, TABLES
from app.batch.stores.cassandra.session import connected
from app.batch.tasks import SparkTasks
from app.events.csv_codec import decode
from app.events.schema import EVENTS
from app.local.cassandra import cassandra_server
from app.local.emulators import environment
from app.local.java import get_java
from tests.benchmarks.machine import described
from tests.benchmarks.machine import rows as generated

ROWS: Final = 500_000
NAIVE_ROWS: Final = 2_000
_FILES: Final = 4
_ROUNDS: Final = 3
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS {keyspace}.naive_events (user_id bigint, month int, event_time timestamp, "
    "event_id blob, event_type text, product_id bigint, category_id bigint, category_code text, brand text, "
    "price decimal, user_session text, PRIMARY KEY ((user_id, month), event_time, event_id))"
)
_COLUMNS: Final = (
    *("user_id", "month", "event_time", "event_id", "event_type", "product_id", "category_id"),
    *("category_code", "brand", "price", "user_session"),
)


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Events a second from Parquet files to acknowledged writes; Spark has started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(cassandra_server())
        settings = CassandraSettings.from_environment(server.environment)
        stack.enter_context(environment(get_java().environment))
        spark = stack.enter_context(spark_session(Settings(events=("-",), out=folder), folder / "spark"))
        session = stack.enter_context(connected(settings))
        store = CassandraStore(settings)
        store.open(Run.begin())
        stack.callback(store.close)
        session.ask(_TABLE.format(keyspace=settings.keyspace))
        driver: DriverSession = session._connected()
        events = decode(b"\n".join(generated(rows)) + b"\n", source="events.csv", first_row=1).events
        table = pa.Table.from_batches([events.select(EVENTS.names)])
        staged = _staged(table, Folder(str(folder / "events-of-run")))
        load = Load(settings, SLOTS[0], staged.folder)
        ready = [_Recorded.of(load, item) for item in items_of(staged)]
        few, many = (_naive_rows(table.slice(0, size)) for size in (naive_rows, min(rows, 20 * naive_rows)))
        expected = sum((item.written for item in ready), Written())
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "limit": (len(table), lambda: _send_all(load, ready)),
            "ours": (len(table), lambda: write_events(SparkTasks(spark.sparkContext), load, staged)),
            "naive": (len(few), lambda: _insert_each(driver, few)),
            "driver_batches": (len(many), lambda: _insert_batches(driver, many)),
        }
        seconds: dict[str, list[float]] = {way: [] for way in (*ways, "counting")}
        for number in range(rounds + 1):
            for way, (_, work) in ways.items():
                for name in (*(one.of(SLOTS[0]) for one in TABLES.values()), "naive_events"):
                    session.ask(f"TRUNCATE {name}")
                taken = _timed(work)
                if number:
                    seconds[way].append(taken)
                if way in ("limit", "ours"):
                    began = time.monotonic()
                    held = count(session, SLOTS[0], expected)
                    assert held == expected, f"{held} of {expected}"
                    if number:
                        seconds["counting"].append(time.monotonic() - began)
        sizes = {way: of for way, (of, _) in ways.items()} | {"counting": len(table)}
        rates = {way: sizes[way] / statistics.median(times) for way, times in seconds.items()}
        facts = described("cassandra-driver", "pyspark", rows=len(table), naive_rows=naive_rows, rounds=rounds)
    ours, naive, limit = (round(rates[way]) for way in ("ours", "naive", "limit"))
    return {
        "name": "cassandra",
        "unit": "events/s",
        "ours": ours,
        "naive": naive,
        "limit": limit,
        "ratio": round(ours / naive, 1),
        "of_limit": round(ours / limit, 2),
        "run": facts | {way: round(rates[way]) for way in ("driver_batches", "counting")},
    }


def _staged(table: pa.Table, folder: Folder) -> Ingested:
    folder.make("events", "bad_events")
    size = -(-len(table) // _FILES)
    for number in range(_FILES):
        file = f"events/event_date=2019-10-01/{number}.parquet"
        write_shares(folder, file, *by_share(table.slice(number * size, size)))
    return Ingested(folder, ())


class _Recorded:
    """The rows of a task, made and not sent yet."""

    def __init__(self, rows: list[Rows], written: Written) -> None:
        self.rows, self.written = rows, written

    @classmethod
    def of(cls, load: Load, item: Item) -> "_Recorded":
        kept: list[Rows] = []
        send, Writer.write = Writer.write, lambda _, rows: kept.append(rows)  # type: ignore[method-assign,assignment]
        try:
            return cls(kept, write_item(load, item))
        finally:
            Writer.write = send  # type: ignore[method-assign]


def _send_all(load: Load, ready: list[_Recorded]) -> None:
    def send(number: int) -> None:
        with writing(load.settings, number) as writer:
            for one in ready[number::2]:
                for rows in one.rows:
                    writer.write(rows)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(2)))


def _naive_rows(table: pa.Table) -> list[list[Any]]:
    names = [name for name in _COLUMNS if name != "month"]
    rows = (list(row.values()) for row in table.select(names).to_pylist())
    return [[row[0], 201910, *row[1:]] for row in rows]


def _insert(driver: DriverSession) -> Any:
    marks = ", ".join("?" for _ in _COLUMNS)
    return driver.prepare(f"INSERT INTO naive_events ({', '.join(_COLUMNS)}) VALUES ({marks})")


def _insert_each(driver: DriverSession, rows: list[list[Any]]) -> None:
    insert = _insert(driver)
    for row in rows:
        driver.execute(insert, row)


def _insert_batches(driver: DriverSession, rows: list[list[Any]]) -> None:
    insert = _insert(driver)
    batches = []
    for _, own in groupby(sorted(rows, key=lambda row: int(row[0])), key=lambda row: int(row[0])):
        batch = BatchStatement(BatchType.UNLOGGED)
        for row in own:
            batch.add(insert, row)
        batches.append((batch, None))
    execute_concurrent(driver, batches, concurrency=32)


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
