"""The BigQuery emulator through Google's own clients."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psutil
import pyarrow as pa
import pytest
from google.cloud.bigquery import SchemaField, Table, TimePartitioning
from google.cloud.bigquery_storage_v1 import types

from app.gcp.clients import bigquery_client, bigquery_read_client, bigquery_write_client
from app.local.bigquery import BigQueryEmulator, bigquery_emulator
from app.local.emulators import environment

pytestmark = pytest.mark.integration

SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.binary(), nullable=False),
        pa.field("event_time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("price", pa.decimal128(38, 9)),
        pa.field("brand", pa.string()),
    ]
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[BigQueryEmulator]:
    with bigquery_emulator() as running, environment(running.environment):
        bigquery_client().create_dataset("shop")
        yield running


def _table(name: str) -> str:
    table = Table(
        f"demo-project.shop.{name}",
        [
            SchemaField("event_id", "BYTES", "REQUIRED"),
            SchemaField("event_time", "TIMESTAMP", "REQUIRED"),
            SchemaField("price", "NUMERIC"),
            SchemaField("brand", "STRING"),
        ],
    )
    table.time_partitioning = TimePartitioning(field="event_time")
    table.clustering_fields = ["brand"]
    bigquery_client().create_table(table)
    return f"projects/demo-project/datasets/shop/tables/{name}"


def _rows(count: int) -> pa.RecordBatch:
    at = datetime(2019, 10, 1, 12, 30, 15, 123456, UTC)
    return pa.record_batch(
        [
            [number.to_bytes(16, "big") for number in range(count)],
            [at] * count,
            [Decimal("489.07")] * count,
            ["apple" if number % 2 else None for number in range(count)],
        ],
        schema=SCHEMA,
    )


def _append(table: str, *batches: pa.RecordBatch) -> None:
    def requests() -> Iterator[types.AppendRowsRequest]:
        for batch in batches:
            yield types.AppendRowsRequest(
                write_stream=f"{table}/streams/_default",
                arrow_rows=types.AppendRowsRequest.ArrowData(
                    writer_schema=types.ArrowSchema(serialized_schema=SCHEMA.serialize().to_pybytes()),
                    rows=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
                ),
            )

    with bigquery_write_client() as client:
        for response in client.append_rows(requests()):
            assert not response.error.message


def test_arrow_batches_that_are_appended_are_queried_with_their_exact_values(emulator: BigQueryEmulator) -> None:
    _append(_table("appended"), _rows(1_000), _rows(500))
    (row,) = (
        bigquery_client()
        .query(
            """SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS ids, COUNTIF(brand IS NULL) AS unbranded,
                  SUM(price) AS revenue, MAX(event_time) AS at
           FROM `demo-project.shop.appended`"""
        )
        .result()
    )
    assert dict(row) == {
        "n": 1_500,
        "ids": 1_000,
        "unbranded": 750,
        "revenue": Decimal("489.07") * 1_500,
        "at": datetime(2019, 10, 1, 12, 30, 15, 123456, UTC),
    }


def test_a_table_is_read_back_as_arrow(emulator: BigQueryEmulator) -> None:
    table = _table("read_back")
    _append(table, _rows(2_000))
    client: Any = bigquery_read_client()
    with client:
        session = client.create_read_session(
            parent="projects/demo-project",
            read_session=types.ReadSession(table=table, data_format=types.DataFormat.ARROW),
            max_stream_count=1,
        )
        read = pa.Table.from_batches(
            pa.ipc.read_record_batch(
                response.arrow_record_batch.serialized_record_batch,
                pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema)),
            )
            for response in client.read_rows(session.streams[0].name)
        )
    assert read.num_rows == 2_000
    assert set(read["event_id"].to_pylist()) == {number.to_bytes(16, "big") for number in range(2_000)}


def test_a_table_keeps_its_partitions_and_clusters(emulator: BigQueryEmulator) -> None:
    _table("partitioned")
    table = bigquery_client().get_table("demo-project.shop.partitioned")
    assert table.time_partitioning.field == "event_time"
    assert table.clustering_fields == ["brand"]


def test_an_append_of_nearly_10_mb_is_taken(emulator: BigQueryEmulator) -> None:
    batch = _rows(180_000)
    assert 9_000_000 < batch.nbytes < 10_000_000
    _append(_table("large"), batch)
    (row,) = bigquery_client().query("SELECT COUNT(*) AS n FROM `demo-project.shop.large`").result()
    assert row.n == 180_000


def test_memory_grows_with_what_is_appended_and_not_with_copies_of_the_table(emulator: BigQueryEmulator) -> None:
    """The table grows by 9 batches; copies of it, which the emulator as installed makes, would add 54 more."""
    table, batch = _table("uncopied"), _rows(180_000)
    _append(table, batch)
    before = psutil.Process(emulator.server.pid).memory_info().rss
    _append(table, *[batch] * 9)
    grown = psutil.Process(emulator.server.pid).memory_info().rss - before
    assert grown < 25 * batch.nbytes


def test_a_snapshot_that_a_statement_asks_for_is_made(emulator: BigQueryEmulator) -> None:
    _append(_table("original"), _rows(50))
    client = bigquery_client()
    client.query("CREATE SNAPSHOT TABLE `demo-project.shop.asked_for` CLONE `demo-project.shop.original`").result()
    (row,) = client.query("SELECT COUNT(*) AS n FROM `demo-project.shop.asked_for`").result()
    assert row.n == 50


def test_two_emulators_run_side_by_side_and_share_nothing(emulator: BigQueryEmulator) -> None:
    with bigquery_emulator() as other:
        assert not {other.rest_port, other.grpc_port} & {emulator.rest_port, emulator.grpc_port}
        with environment(other.environment):
            assert list(bigquery_client().list_datasets()) == []
        folder = other.server.log.parent
    assert not folder.exists()
    assert [one.dataset_id for one in bigquery_client().list_datasets()] == ["shop"]


def test_queries_are_answered_while_rows_are_appended(emulator: BigQueryEmulator) -> None:
    table = _table("busy")
    batch = _rows(2_000)
    appending = threading.Event()
    appending.set()

    def append() -> None:
        _append(table, *[batch] * 60)

    with ThreadPoolExecutor(2) as pool:
        appends = [pool.submit(append) for _ in range(2)]
        for done in appends:
            done.add_done_callback(lambda _: appending.clear() if all(one.done() for one in appends) else None)
        while appending.is_set():
            query = "SELECT COUNT(*), COUNT(DISTINCT event_id) FROM shop.busy"
            ((rows, distinct),) = (tuple(row) for row in bigquery_client().query(query).result())
            assert rows % batch.num_rows == 0
            assert distinct in (0, batch.num_rows)
        assert [done.exception() for done in appends] == [None, None]
    (row,) = bigquery_client().query("SELECT COUNT(*) FROM shop.busy").result()
    assert row[0] == 2 * 60 * batch.num_rows
