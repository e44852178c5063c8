"""Loads of the MySQL store: events staged without Spark, and what the server then shows beside what DuckDB finds."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.analytics import QUESTIONS
from app.analytics.sql import compile_fact
from app.batch.answers import make_facts
from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.loading import ledger_of
from app.batch.progress import Progress
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.stores import Run
from app.batch.stores.mysql import MysqlSettings, MysqlStore
from app.batch.stores.mysql.tables import TABLES
from app.events.csv_codec import HEADER
from app.events.files import describe
from app.events.ledger import Ledger
from app.local.java import get_java
from app.local.mysql import MysqlServer
from tests.batch.job_process import expected
from tests.batch.staged import Here as Here

_OF_THE_RUN = frozenset({"run", "started_at", "finished_at", "seconds", "rows_per_second", "source", "path"})


@dataclass(frozen=True)
class Load:
    """What is loaded: staged events, every question's answer, and the ledger."""

    ingested: Ingested
    answers: dict[str, pa.Table]
    ledger: Ledger


def prepared(folder: Path, rows: bytes) -> Load:
    """An event file's rows (without header) staged, and answered by DuckDB."""
    folder.mkdir(exist_ok=True)
    file = folder / "events.csv"
    file.write_bytes(HEADER + b"\n" + rows)
    staging = Folder(str(folder / "staging"))
    now = datetime.now(UTC)
    ingested = ingest(
        Here(), [describe(str(file))], staging, split_bytes=1 << 20, ingest_time=now, progress=Progress(None)
    )
    make_facts(Here(), ingested)
    answers, ledger = expected([file])
    assert ledger_of(ingested) == ledger
    return Load(ingested, answers, ledger)


def settings_of(server: MysqlServer, **changed: Any) -> MysqlSettings:
    quick: dict[str, Any] = {"timeout_seconds": 30, "retry_seconds": 60}
    login: dict[str, Any] = {"user": server.loader.name, "password": server.loader.password}
    return MysqlSettings(**{"host": server.host, "port": server.port, **login, **quick, **changed})


def load(settings: MysqlSettings, spark: Any, what: Load, *, commit: bool = True) -> None:
    """All of a run's steps."""
    store = MysqlStore(settings)
    try:
        store.open(Run.begin())
        fill(store, spark, what)
        store.verify(what.ledger)
        if commit:
            store.commit()
    finally:
        store.close()


def fill(store: MysqlStore, spark: Any, what: Load) -> None:
    """The steps from the events to the ledger."""
    stored = store.write_events(spark, what.ingested)
    assert (stored.events, stored.bad_events) == (what.ledger.stored, what.ledger.bad)
    for name, answer in what.answers.items():
        store.write_answer(name, answer)
    store.write_ledger(what.ledger, what.ingested, {})


def ask(server: MysqlServer, sql: str, user: str = "grafana") -> list[tuple[Any, ...]]:
    with server.connect(getattr(server, user)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def shown(server: MysqlServer) -> dict[str, list[tuple[Any, ...]]]:
    """What the latest run shows, but for what differs from run to run: its id, its times, its folders."""
    found = {}
    for name, table in TABLES.items():
        if name == "loads":
            continue
        left_out = frozenset() if name in QUESTIONS else _OF_THE_RUN
        columns = ", ".join(f"`{column}`" for column in table.schema.names if column not in left_out)
        latest = " WHERE run = (SELECT MAX(run) FROM shop.runs)" if table.history else ""
        found[name] = in_order(ask(server, f"SELECT {columns} FROM shop.`{name}`{latest}"))
    return found


def of(what: Load) -> dict[str, list[tuple[Any, ...]]]:
    """What a run should show, made by DuckDB."""
    bad = f"{what.ingested.folder.root}/bad_events/*.parquet"
    found = {name: in_order(_rows(answer)) for name, answer in what.answers.items()}
    with events_of(what.ingested) as database:
        asked = {
            "activity": """
                SELECT date_trunc('hour', event_time)::TIMESTAMP AS time, row_number() OVER (PARTITION BY time
                    ORDER BY event_type, department, sub_category, brand), * EXCLUDE (event_time)
                FROM (SELECT date_trunc('hour', event_time) AS event_time, event_type,
                        coalesce(department, 'uncategorised') AS department,
                        coalesce(sub_category, 'uncategorised') AS sub_category, coalesce(brand, 'unbranded') AS brand,
                        count(*), sum(price) FROM events GROUP BY ALL)""",
            "brands": """
                SELECT coalesce(brand, 'unbranded'), count(*), count(*) FILTER (event_type = 'purchase'),
                    coalesce(sum(price) FILTER (event_type = 'purchase'), 0) FROM events GROUP BY 1""",
            "visitors": VISITORS,
        }
        for name, sql in asked.items():
            found[name] = in_order(database.execute(sql).fetchall())
        found["bad_events"] = found["bad_event_counts"] = []
        if what.ledger.bad:
            counted = "SELECT row_number() OVER (ORDER BY reason, field NULLS FIRST), reason, field, n FROM ("
            counted += f"SELECT reason, field, count(*) AS n FROM '{bad}' GROUP BY ALL)"
            found["bad_event_counts"] = in_order(database.execute(counted).fetchall())
            kept = "SELECT reason, row_number() OVER (PARTITION BY reason ORDER BY source_row) AS number, field, "
            kept += f"source_row, substr(hex(raw), 1, 131072), octet_length(raw) FROM '{bad}' QUALIFY number <= 100"
            rows = database.execute(kept).fetchall()
            found["bad_events"] = in_order([(*row[:4], bytes.fromhex(row[4]), row[5]) for row in rows])
        first, last = database.execute(
            "SELECT date_trunc('hour', min(event_time))::TIMESTAMP, date_trunc('hour', max(event_time))::TIMESTAMP "
            "FROM events"
        ).fetchall()[0]
    ledger, (source,) = what.ledger, what.ingested.sources
    found["ledger"] = [(ledger.read, ledger.stored, ledger.duplicates, ledger.bad)]
    found["sources"] = [(0, source.size, source.rows, source.events, source.duplicates, source.bad)]
    found["runs"] = [(first, last)]
    found["not_loaded"] = []
    return found


VISITORS = f"""
    SELECT to_timestamp(bucket * 300)::TIMESTAMP, count(*), count(*) FILTER (bucket = first) FROM (
        SELECT first, unnest(range(first, last + 1)) AS bucket FROM (
            SELECT floor(epoch(session_start) / 300)::BIGINT AS first, floor(epoch(session_end) / 300)::BIGINT AS last
            FROM ({compile_fact("sessions", "duckdb")}))) GROUP BY 1"""
"""Sessions by 5 minutes, counted from all `events` at once."""


@contextmanager
def events_of(ingested: Ingested) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with all events of a run as the view `events`."""
    files = f"{ingested.folder.root}/events/*/*.parquet"
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"CREATE VIEW events AS FROM read_parquet('{files}', hive_partitioning = false)")
        yield database


def in_order(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows in one order, values of one kind alike: the client gives whole numbers for truth values."""
    return sorted((tuple(map(_plain, row)) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return Decimal(value).quantize(Decimal("0.01")) if isinstance(value, Decimal) else value


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in answer.to_pylist()]


@contextmanager
def spark_here(folder: Path) -> Iterator[Any]:
    """Spark in this process, as the job has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(get_java().home))
        settings = Settings(events=("-",), out=folder, master="local[2]", memory="1g", shuffle_partitions=2)
        with spark_session(settings, folder) as spark:
            yield spark
