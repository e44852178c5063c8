"""Rows that BigQuery refuses become bad events with its words; all others are stored and counted."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.cloud.bigquery import SchemaField, Table

from app.events.csv_codec import decode, stored
from app.events.dialects import bigquery_fields
from app.events.schema import EVENT_LOG, EVENTS
from app.gcp.clients import bigquery_client
from app.local.emulators import Emulators, environment
from app.local.process import LOOPBACK
from app.stream.bad_rows import MAX_RAW_BYTES
from app.stream.storage_write import AppendError, TableWriter
from tests.stream.picky_bigquery import OF_ROWS, WORDS, PickyBigQuery, Way, is_too_old
from tests.stream.shop import Message, Shop, blocks, expected, generated, open_shop

pytestmark = pytest.mark.integration
OLD = b'2015-06-01 10:00:0%d UTC,purchase,%d,2,,"a, b",1.50,3,s'


@contextmanager
def picky(cloud: Emulators, way: Way, refuses: Any = is_too_old) -> Iterator[PickyBigQuery]:
    with (
        PickyBigQuery(cloud.bigquery.grpc_port, way, refuses) as server,
        environment({"BIGQUERY_STORAGE_EMULATOR_HOST": f"{LOOPBACK}:{server.port}"}),
    ):
        yield server


def writer_of(shop: Shop, table: str = "event_log") -> TableWriter:
    project, _, dataset = shop.dataset.partition(".")
    return TableWriter(f"projects/{project}/datasets/{dataset}/tables/{table}", EVENT_LOG)


def event_rows(count: int, old: set[int]) -> pa.RecordBatch:
    """Rows of event_log, numbered by `source_row`; the old ones are of 2015."""
    row: dict[str, Any] = {
        "event_type": "view", "product_id": 1, "category_id": 2, "price": Decimal("1.50"), "user_id": 3,
        "zero_price": False, "missing_session": True, "source": "s", "ingest_time": datetime(2026, 12, 1, tzinfo=UTC),
    }  # fmt: skip
    rows = [
        row
        | {
            "event_id": number.to_bytes(16),
            "event_time": datetime(2015 if number in old else 2026, 6, 1, tzinfo=UTC),
            "source_row": number,
        }
        for number in range(count)
    ]
    return pa.RecordBatch.from_pylist(rows, EVENT_LOG)


def append(writer: TableWriter, rows: pa.RecordBatch) -> None:
    writer.send(rows)
    writer.flush()


def numbers(batches: list[pa.RecordBatch]) -> list[int]:
    return sorted(number for batch in batches for number in batch.column("source_row").to_pylist())


@pytest.mark.parametrize("way", OF_ROWS)
@pytest.mark.parametrize("old", [{17}, {0, 1, 2, 98, 99}, set(range(100, 140)), set(range(300))], ids=len)
def test_all_but_the_refused_rows_are_stored_however_it_is_told(
    cloud: Emulators, shop: Shop, way: Way, old: set[int]
) -> None:
    rows = event_rows(300, old)
    with picky(cloud, way):
        writer = writer_of(shop)
        done = [writer.send(rows.slice(at, 100)) for at in (0, 100, 200)]
        done.append(writer.flush())
        writer.close()
    good = sorted(set(range(300)) - old)
    assert numbers([batch for one in done for batch in one.stored]) == good
    refused = [refusal for one in done for refusal in one.refused]
    assert numbers([refusal.row for refusal in refused]) == sorted(old)
    assert {refusal.words for refusal in refused} == {WORDS}
    found = shop.query("SELECT DISTINCT source_row FROM `DATASET.event_log` ORDER BY 1").column(0).to_pylist()
    assert found == good


def test_one_refused_row_of_many_costs_few_requests(cloud: Emulators, shop: Shop) -> None:
    with picky(cloud, Way.WHOLE) as server:
        writer = writer_of(shop)
        append(writer, event_rows(4_096, {1_234}))
        writer.close()
    assert server.appends == 1 + 2 * 12


@pytest.mark.parametrize("way", OF_ROWS)
def test_a_table_with_other_columns_stops_with_their_names_and_makes_no_row_bad(
    cloud: Emulators, shop: Shop, way: Way
) -> None:
    client, name = bigquery_client(), f"{shop.dataset}.event_log"
    fields = [SchemaField.from_api_repr(field) for field in bigquery_fields(EVENT_LOG) if field["name"] != "brand"]
    client.delete_table(name)
    client.create_table(Table(name, fields))
    with picky(cloud, way, lambda _: True):
        writer = writer_of(shop)
        with pytest.raises(AppendError, match=rf"{WORDS}.*other columns than.*: brand is missing"):
            append(writer, event_rows(10, set()))
        writer.close()


@pytest.mark.parametrize("way", OF_ROWS)
def test_old_events_become_bad_ones_and_the_ledger_and_all_counts_stay_exact(
    cloud: Emulators, shop: Shop, way: Way
) -> None:
    data, summary = generated(3_000, bad=0.01)
    rows = data.split(b"\n")[:-1]
    old = [OLD % (number, number) for number in range(5)]
    for number, row in enumerate(old):
        rows.insert(number * 700, row)
    messages = blocks(b"\n".join(rows) + b"\n")
    shop.publish(messages)
    with picky(cloud, way):
        # Plausible to the pipeline, and yet too old for the warehouse.
        shop.run("--earliest=2000-01-01")

    taken = [Message(b"\n".join(row for row in rows if row not in old), {"source": "x", "first_row": "1"})]
    truth = expected(*taken)
    (ledger,) = shop.query(
        "SELECT read, stored, duplicates, bad FROM `DATASET.ledger` WHERE source IS NULL"
    ).to_pylist()
    assert tuple(ledger.values()) == (summary.rows + 5, summary.events, summary.duplicates, summary.bad + 5)
    events = shop.query("SELECT * FROM `DATASET.events`").select(EVENTS.names).cast(EVENTS)
    assert events.sort_by("event_id").equals(truth.events.sort_by("event_id"))
    truth.check_counts(shop)

    bad = shop.query(
        "SELECT raw, detail, source, source_row FROM `DATASET.bad_events` WHERE reason = 'refused_by_warehouse'"
    )
    assert Counter(bad.column("detail").to_pylist()) == {WORDS: 5}
    assert set(bad.column("source").to_pylist()) == {"events.csv"}
    assert {rows[row["source_row"] - 1]: row["raw"] for row in bad.to_pylist()} == {row: row for row in old}


def test_a_run_that_is_refused_for_its_rights_stops_and_loses_nothing(cloud: Emulators) -> None:
    shop = open_shop(cloud, ack_deadline_seconds=10)
    messages = blocks(generated(500)[0])
    shop.publish(messages)
    with picky(cloud, Way.FORBIDDEN), pytest.raises(Exception, match=r"updateData denied.*roles/bigquery\.dataEditor"):
        shop.run()
    assert shop.count("event_log") == 0
    shop.run("--until_idle=14")
    expected(*messages).check(shop)


def test_a_bad_row_as_long_as_a_message_may_be_is_kept_by_its_beginning(shop: Shop) -> None:
    row = b"x" * 9_800_000
    shop.publish([Message(row, {"source": "long.csv", "first_row": "1"})])
    shop.run()
    (bad,) = shop.query("SELECT reason, raw FROM `DATASET.bad_events`").to_pylist()
    assert (bad["reason"], bad["raw"]) == ("row_too_long", row[:MAX_RAW_BYTES])


def test_a_stored_batch_is_given_as_it_was_sent(shop: Shop) -> None:
    decoded = decode(generated(100)[0], source="x", first_row=2)
    batch = stored(decoded.events, 1)
    writer = writer_of(shop)
    (given,) = [*writer.send(batch).stored, *writer.flush().stored]
    writer.close()
    assert given.equals(batch)
