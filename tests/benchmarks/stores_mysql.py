"""Rows into a table of the MySQL store, beside one insert a row and beside the server's own LOAD DATA.

All fill the table `activity` with the same rows, one for each generated event. Naive: a client inserts and commits a
row at a time. It gets fewer rows, since it is slow; its rate is what counts. Limit: the server loads a file that was
written before, in one statement and from its own disk, so that no client has any part in it.

The rates are medians of rounds in which each of the ways has its turn. `multi_row_insert` in the run's facts is what
the client's own `executemany` reaches.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from app.analytics.facts import UNCATEGORISED
from app.analytics.questions.bought_together import UNBRANDED
from app.batch.folder import Folder
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.stores.mysql import MysqlSettings
from app.batch.stores.mysql.load import load_files
from app.batch.stores.mysql.rows import as_text
from app.batch.stores.mysql.server import MysqlConnection, connect, quoted
from app.batch.stores.mysql.server import run as ask
from app.batch.stores.mysql.tables import ACTIVITY, collation_of
from app.batch.tasks import SparkTasks
from app.events.csv_codec import decode
from app.local.emulators import environment
from app.local.java import get_java
from app.local.mysql import mysql_server
from tests.benchmarks.machine import described
from tests.benchmarks.machine import rows as generated

ROWS: Final = 600_000
NAIVE_ROWS: Final = 3_000
_FILES: Final = 4
_ROUNDS: Final = 3
_TABLE: Final = ("shop", ACTIVITY.name)
_COLUMNS: Final = ", ".join(map(quoted, ACTIVITY.schema.names))


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS, rounds: int = _ROUNDS) -> dict[str, Any]:
    """Rows a second from Parquet files to a committed table; Spark has started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(mysql_server())
        settings = MysqlSettings.from_environment(server.environment)
        stack.enter_context(environment(get_java().environment))
        spark = stack.enter_context(spark_session(Settings(events=("-",), out=folder), folder / "spark"))
        tasks = SparkTasks(spark.sparkContext)
        table = _activity(rows)
        _write_files(table, folder)
        connection, root = connect(settings), server.connect(server.root)
        few, many = (table.slice(0, size).to_pylist() for size in (naive_rows, min(rows, 20 * naive_rows)))
        file = server.folder / "data" / "rows.txt"
        file.write_bytes(b"".join(as_text(batch) for batch in table.to_batches()))
        ways: dict[str, tuple[int, Callable[[], object]]] = {
            "limit": (rows, lambda: ask(root, f"LOAD DATA INFILE '{file}' INTO TABLE {quoted(*_TABLE)} ({_COLUMNS})")),
            "ours": (rows, lambda: load_files(tasks, settings, _TABLE, Folder(str(folder / "rows")))),
            "naive": (len(few), lambda: [ask(connection, _insert(), *row.values()) for row in few]),
            "multi_row_insert": (len(many), lambda: _insert_many(connection, many)),
        }
        _timed(connection, *ways["ours"])  # so that Spark's Python workers have started
        rates = _rates(connection, ways, rounds)
        connection.close()
        root.close()
        facts = described("pymysql", "pyspark", rows=rows, naive_rows=naive_rows, rounds=rounds, server=server.version)
    ours, naive, limit = (round(rates[way]) for way in ("ours", "naive", "limit"))
    return {
        "name": "mysql",
        "unit": "rows/s",
        "ours": ours,
        "naive": naive,
        "limit": limit,
        "ratio": round(ours / naive, 1),
        "of_limit": round(ours / limit, 2),
        "run": facts | {"multi_row_insert": round(rates["multi_row_insert"])},
    }


def _activity(rows: int) -> pa.Table:
    """A row of the table for each of so many generated events, in the order of time."""
    events = decode(b"\n".join(generated(rows)) + b"\n", source="events.csv", first_row=1).events
    columns = {
        "time": pc.floor_temporal(events.column("event_time"), unit="hour"),
        "id": pa.array(range(len(events))),
        "event_type": events.column("event_type"),
        "department": pc.fill_null(events.column("department"), UNCATEGORISED),
        "sub_category": pc.fill_null(events.column("sub_category"), UNCATEGORISED),
        "brand": pc.fill_null(events.column("brand"), UNBRANDED),
        "events": pa.repeat(1, len(events)),
        "price_sum": events.column("price"),
    }
    return pa.table(columns).cast(ACTIVITY.schema)


def _write_files(table: pa.Table, folder: Path) -> None:
    (folder / "rows").mkdir()
    size = -(-len(table) // _FILES)
    for number in range(_FILES):
        pq.write_table(table.slice(number * size, size), folder / "rows" / f"{number}.parquet")


def _rates(
    connection: MysqlConnection, ways: dict[str, tuple[int, Callable[[], object]]], rounds: int
) -> dict[str, float]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (rows, work) in ways.items():
            seconds[way].append(_timed(connection, rows, work))
    return {way: ways[way][0] / statistics.median(taken) for way, taken in seconds.items()}


def _timed(connection: MysqlConnection, rows: int, work: Callable[[], object]) -> float:
    """Seconds that it takes to fill an empty table."""
    name = quoted(*_TABLE)
    ((version,),) = ask(connection, "SELECT VERSION()")
    ask(connection, f"DROP TABLE IF EXISTS {name}")
    ask(connection, ACTIVITY.create(name, collation_of(version)))
    began = time.monotonic()
    work()
    seconds = time.monotonic() - began
    ((count,),) = ask(connection, f"SELECT COUNT(*) FROM {name}")
    assert count == rows, f"{count} of {rows} rows"
    return seconds


def _insert() -> str:
    return f"INSERT INTO {quoted(*_TABLE)} ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(ACTIVITY.schema))})"


def _insert_many(connection: MysqlConnection, rows: list[dict[str, Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_insert(), [tuple(row.values()) for row in rows])
