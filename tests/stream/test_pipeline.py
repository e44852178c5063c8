"""The pipeline from messages in Pub/Sub to the warehouse's views and the archive, in whatever way messages come."""

import random
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from app.events.csv_codec import decode
from app.local.emulators import Emulators, environment
from app.local.pubsub import Kind, google_emulator_jar, pubsub_emulator
from tests.stream.shop import Message, Shop, blocks, expected, generated, open_shop

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("kind", ["google", "packaged"])
def test_every_row_is_stored_a_duplicate_or_bad_and_all_is_counted(cloud: Emulators, kind: Kind) -> None:
    if kind == "google" and not google_emulator_jar():
        pytest.skip("unavoidable: Google's emulator is not on this machine")
    data, summary = generated(10_000, bad=0.01)
    messages = blocks(data)
    with pubsub_emulator(kind) as pubsub, environment(pubsub.environment):
        shop = open_shop(cloud, pubsub)
        shop.publish(messages)
        shop.run()
    truth = expected(*messages)
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)
    assert shop.count("event_log") == summary.events + summary.duplicates
    assert _by_reason(shop) == {reason.value: rows for reason, rows in summary.bad_by_reason.items()}
    _check_archive(shop, truth.events)


def _by_reason(shop: Shop) -> dict[str, int]:
    rows = shop.query("SELECT reason, COUNT(*) AS n FROM `DATASET.bad_events` GROUP BY reason").to_pylist()
    return {row["reason"]: row["n"] for row in rows}


def _check_archive(shop: Shop, events: pa.Table) -> None:
    """Every object lies under the hour of its events; all objects together are exactly the events."""
    found: set[bytes] = set()
    for name, data in shop.archived().items():
        decoded = decode(data, source=name)
        assert not len(decoded.bad)
        date, hour, _ = name.split("/")
        assert {f"{time:%Y-%m-%d %H}" for time in decoded.events.column("event_time").to_pylist()} == {f"{date} {hour}"}
        found |= set(decoded.events.column("event_id").to_pylist())
    assert found == set(events.column("event_id").to_pylist())


def test_replaying_the_archive_brings_nothing_new(shop: Shop) -> None:
    data, _ = generated(2_000)
    messages = blocks(data)
    shop.publish(messages)
    shop.run()
    truth = expected(*messages)
    archive = [block for name, part in shop.archived().items() for block in blocks(part, source=name)]
    shop.publish(archive)
    shop.run()
    assert shop.count("events") == len(truth.events)
    truth.check_counts(shop)


def test_messages_that_are_published_twice_change_nothing(shop: Shop) -> None:
    data, _ = generated(5_000, bad=0.01)
    messages = blocks(data)
    shop.publish([*messages, *messages])
    shop.run()
    assert shop.count("event_log") > len(expected(*messages).events) * 1.9
    expected(*messages).check(shop)


def test_one_bare_row_a_message_is_enough(shop: Shop) -> None:
    data, summary = generated(1_000, bad=0.02)
    rows = data.split(b"\n")[:-1]
    shop.publish([Message(row, {}) for row in rows])
    shop.run()
    numbered = [Message(row, {"source": str(number), "first_row": "2"}) for number, row in enumerate(rows)]
    truth = expected(*numbered)
    (ledger,) = shop.query(
        "SELECT read, stored, duplicates, bad FROM `DATASET.ledger` WHERE source IS NULL"
    ).to_pylist()
    assert tuple(ledger.values()) == truth.ledger
    assert summary.duplicates
    assert summary.bad == 20
    raw = shop.query("SELECT raw, source, source_row FROM `DATASET.bad_events`").to_pylist()
    assert sorted(row["raw"] for row in raw) == sorted(row[1] for row in truth.bad)
    assert all(row["source"].startswith("pubsub:") and row["source_row"] == 1 for row in raw)
    truth.check_counts(shop)


def test_of_rows_that_are_bad_by_half_every_good_one_is_stored_and_every_bad_one_kept(shop: Shop) -> None:
    data, summary = generated(4_000, bad=0.5)
    messages = blocks(data)
    shop.publish(messages)
    shop.run()
    assert summary.bad == 2_000
    truth = expected(*messages)
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)


def test_disorder_changes_no_minute_and_no_session(shop: Shop) -> None:
    data, _ = generated(5_000)
    rows = data.split(b"\n")[:-1]
    random.Random(7).shuffle(rows)
    messages = blocks(b"\n".join(rows) + b"\n", rows=100)
    shop.publish(messages)
    shop.run()
    expected(*messages).check(shop)


def test_an_event_three_days_late_is_counted_in_its_minute_and_its_session(shop: Shop) -> None:
    data, _ = generated(3_000, days=5)
    rows = data.split(b"\n")[:-1]
    late = next(row for row in rows[:200] if b",view," in row)
    on_time = [row for row in rows if row != late]
    messages = [*blocks(b"\n".join(on_time) + b"\n"), *blocks(late + b"\n", source="late.csv")]
    events = decode(data, source="").events.column("event_time")
    assert pc.max(events).as_py() - decode(late, source="").events.column("event_time")[0].as_py() > timedelta(days=3)
    shop.publish(messages)
    shop.run()
    expected(*messages).check(shop)


def test_a_hot_hour_is_counted_exactly_in_cells_of_all_levels(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cells", "activity"):
        monkeypatch.setattr(f"app.stream.{module}.MAX_CELL_BYTES", 10_000)
    row = b"2019-10-01 10:%02d:%02d UTC,purchase,%d,2,,,1.50,%d,s%d\n"
    # Half of the events are of one visitor.
    rows = [row % (n % 60, n % 59, n, 7 if n % 2 else n % 400, n % 2 * 401 or n % 400) for n in range(4_000)]
    messages = blocks(b"".join(rows))
    shop.publish([*messages[:10], *messages])
    shop.run()
    shards = shop.query("SELECT DISTINCT shard FROM `DATASET.activity_log`").column("shard").to_pylist()
    assert {0 if shard < 10_000 else 1 if shard < 650_000 else 2 for shard in shards} == {0, 1, 2}
    expected(*messages).check(shop)
    shop.publish(messages[5:])
    shop.run()
    expected(*messages).check(shop)


def test_a_later_run_goes_on_where_the_earlier_one_ended(shop: Shop) -> None:
    data, _ = generated(3_000, days=1)
    messages = blocks(data, rows=100)
    random.Random(7).shuffle(messages)
    shop.publish(messages[:15])
    shop.run()
    expected(*messages[:15]).check(shop)
    shop.publish(messages[10:])
    shop.run("--shards=3")
    expected(*messages).check(shop)
    shop.run()
    expected(*messages).check(shop)


def test_a_run_that_does_not_count_anew_adds_to_the_earlier_ones(shop: Shop) -> None:
    data, _ = generated(2_000, days=1)
    messages = blocks(data, rows=100)
    shop.publish(messages[::2])
    shop.run()
    distinct = expected(*messages)
    shop.publish(messages[1::2])
    shop.run("--no_rebuild")
    distinct.check(shop)


def test_an_empty_subscription_leaves_the_tables_empty(shop: Shop) -> None:
    shop.run()
    for table in ("event_log", "bad_event_log", "activity_log", "session_log"):
        assert shop.count(table) == 0
    assert shop.archived() == {}
    expected().check(shop)


def test_empty_messages_and_lone_headers_are_no_rows(shop: Shop) -> None:
    header = b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    shop.publish([Message(b"", {"format": "csv/1"}), Message(header, {}), Message(header + b"\r\n", {})])
    shop.run()
    expected().check(shop)
