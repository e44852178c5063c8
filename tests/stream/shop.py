"""A shop of a test's own in the emulators: a topic, a subscription, a dataset with its views, and an archive.

`Expected` says what must be true of it after the pipeline has run, calculated from the rows without the pipeline.
"""

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import duckdb
import pyarrow as pa

from app.analytics.sql import compile_fact, compile_question
from app.events.csv_codec import decode
from app.events.generator import Settings, Summary, generate
from app.events.schema import EVENTS
from app.gcp.clients import bigquery_client, publisher_client, storage_client
from app.local.emulators import Emulators
from app.local.pubsub import PROJECT, PubsubEmulator
from app.local.warehouse import create_warehouse
from app.stream.pipeline import run

_numbers = count()
QUESTIONS = ("daily_activity", "session_funnel")
"""Questions whose answers a failure must not change; the others are asked of the same view."""


@dataclass(frozen=True)
class Message:
    """What is published at once."""

    data: bytes
    attributes: dict[str, str]


@dataclass(frozen=True)
class Shop:
    """Where a pipeline reads and writes."""

    topic: str
    subscription: str
    dataset: str
    archive: str

    def publish(self, messages: Iterable[Message]) -> None:
        """Publish and wait until all is taken."""
        with publisher_client() as client:
            sent = [client.publish(self.topic, message.data, **message.attributes) for message in messages]
            for one in sent:
                one.result(timeout=60)

    @contextmanager
    def publishing(self, messages: Sequence[Message], seconds: float) -> Iterator[None]:
        """Publish one after the other over so many seconds while the block runs; at its end all is published."""
        with publisher_client() as client:

            def publish() -> None:
                for message in messages:
                    client.publish(self.topic, message.data, **message.attributes).result(timeout=60)
                    time.sleep(seconds / len(messages))

            thread = threading.Thread(target=publish)
            thread.start()
            try:
                yield
            finally:
                thread.join()

    def options(self, *more: str, runner: Sequence[str] = ("--runner=FnApiRunner",)) -> list[str]:
        """The pipeline's options; of an option that is given twice the later one counts."""
        return [
            *runner,
            f"--project={PROJECT}",
            *(f"--subscription={self.subscription}", f"--dataset={self.dataset}", f"--archive={self.archive}"),
            *("--pull", "--until_idle=2", "--shards=2"),
            *more,
        ]

    def run(self, *more: str) -> None:
        """Run the pipeline in this process until nothing comes."""
        run(self.options(*more))

    def query(self, sql: str) -> pa.Table:
        """Ask BigQuery; DATASET stands for the dataset's name."""
        rows = bigquery_client().query(sql.replace("DATASET", self.dataset)).result()
        return rows.to_arrow(create_bqstorage_client=False)

    def count(self, table: str) -> int:
        """The rows of a table or view."""
        (row,) = self.query(f"SELECT COUNT(*) AS n FROM `DATASET.{table}`").to_pylist()
        return int(row["n"])

    def archived(self) -> dict[str, bytes]:
        """The archive's objects by their name in its bucket, unpacked."""
        client = storage_client()
        bucket = client.bucket(self.archive.removeprefix("gs://"))
        return {blob.name: gzip.decompress(blob.download_as_bytes()) for blob in client.list_blobs(bucket)}


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    """Ask again and again. Fails after so many seconds."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def open_shop(emulators: Emulators, pubsub: PubsubEmulator | None = None, *, ack_deadline_seconds: int = 60) -> Shop:
    """Make a new one."""
    number = next(_numbers)
    messages = pubsub or emulators.pubsub
    topic = messages.create_topic(f"events-{number}")
    subscription = messages.create_subscription(f"stream-{number}", topic, ack_deadline_seconds=ack_deadline_seconds)
    dataset = f"{PROJECT}.shop_{number}"
    create_warehouse(dataset)
    return Shop(topic, subscription, dataset, emulators.gcs.create_bucket(f"archive-{number}"))


def generated(events: int, bad: float = 0.0, days: int = 2) -> tuple[bytes, Summary]:
    """The rows of a generated file without its header, and what they are. Few days make few files in the archive."""
    generation = generate(Settings(events=events, seed=7, bad=bad, days=days, header=False))
    return b"".join(generation), generation.summary


def blocks(data: bytes, rows: int = 250, source: str = "events.csv") -> list[Message]:
    """Rows as the replayer publishes them."""
    lines = [row + b"\n" for row in data.removesuffix(b"\n").split(b"\n")]
    return [
        Message(b"".join(lines[i : i + rows]), {"format": "csv/1", "source": source, "first_row": str(i + 1)})
        for i in range(0, len(lines), rows)
    ]


@dataclass(frozen=True)
class Expected:
    """What is true of a file's rows."""

    ledger: tuple[int, int, int, int]
    """Rows read, events stored, duplicates, bad rows."""
    events: pa.Table
    bad: list[tuple[Any, ...]]

    def check(self, shop: Shop) -> None:
        """Fail where the warehouse says something else, in any of its views."""
        (ledger,) = shop.query(
            "SELECT read, stored, duplicates, bad FROM `DATASET.ledger` WHERE source IS NULL"
        ).to_pylist()
        assert tuple(ledger.values()) == self.ledger, (ledger, self.ledger)
        events = shop.query("SELECT * FROM `DATASET.events`").select(EVENTS.names).cast(EVENTS)
        assert events.sort_by("event_id").equals(self.events.sort_by("event_id"))
        bad = shop.query("SELECT reason, raw, source, source_row FROM `DATASET.bad_events`").to_pylist()
        assert sorted(tuple(row.values()) for row in bad) == self.bad
        self.check_counts(shop)

    def check_counts(self, shop: Shop) -> None:
        """Fail where the activity, the sessions or an answer is another than DuckDB's."""
        truth = duckdb.connect()
        truth.execute("SET TimeZone = 'UTC'")
        truth.register("events", self.events)
        activity = """
            SELECT date_trunc('minute', event_time) AS minute, event_type, count(*) AS events,
                   coalesce(sum(price) FILTER (event_type = 'purchase'), 0) AS revenue
            FROM events GROUP BY ALL"""
        _same(
            shop.query("SELECT minute, event_type, events, revenue FROM `DATASET.activity_by_minute`"), truth, activity
        )
        sessions = shop.query("SELECT * FROM `DATASET.sessions`")
        columns = ", ".join(sessions.column_names)
        _same(sessions, truth, f"SELECT {columns} FROM ({compile_fact('sessions', 'duckdb')})")
        for name in QUESTIONS:
            answer = shop.query(compile_question(name, "bigquery", events=f"{shop.dataset}.events"))
            _same(answer, truth, compile_question(name, "duckdb"))


def _same(found: pa.Table, truth: duckdb.DuckDBPyConnection, sql: str) -> None:
    expected = truth.sql(sql).to_arrow_table()
    assert found.column_names == expected.column_names
    have, want = Counter(map(repr, _rows(found))), Counter(map(repr, _rows(expected)))
    assert have == want, f"missing: {sorted(want - have)[:5]}, too much: {sorted(have - want)[:5]}"


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain values: numbers equal in value are equal in form."""
    return [tuple(_plain(value) for value in row.values()) for row in table.to_pylist()]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, float):
        return f"{value:.9f}"
    return value.isoformat() if hasattr(value, "isoformat") else value


def expected(*messages: Message) -> Expected:
    """What is true after messages, each delivered at least once, whose rows have a source and a number."""
    seen: set[tuple[str, int]] = set()
    rows = 0
    tables: list[pa.Table] = []
    bad: list[tuple[Any, ...]] = []
    for message in messages:
        source, first_row = message.attributes["source"], int(message.attributes["first_row"])
        if (source, first_row) in seen:
            continue
        seen.add((source, first_row))
        decoded = decode(message.data, source=source, first_row=first_row)
        rows += decoded.rows
        tables.append(pa.Table.from_batches([decoded.events]).select(EVENTS.names).cast(EVENTS))
        bad += [(row["reason"], row["raw"], row["source"], row["source_row"]) for row in decoded.bad.to_pylist()]
    found = pa.concat_tables(tables) if tables else EVENTS.empty_table()
    first = {event_id: index for index, event_id in reversed(list(enumerate(found.column("event_id").to_pylist())))}
    distinct = found.take(pa.array(sorted(first.values()), pa.int64())).combine_chunks()
    return Expected((rows, len(distinct), len(found) - len(distinct), len(bad)), distinct, sorted(bad))
