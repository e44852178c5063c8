"""Files as people have them are published whole, and no stray time holds them up."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.events.csv_codec import Block, decode_blocks
from app.gcp.clients import subscriber_client
from app.local.emulators import environment
from app.local.pubsub import PubsubEmulator, pubsub_emulator
from app.stream.messages import block_of
from app.stream.replayer import ReplaySettings, ReplaySummary, replay
from tests.events.test_cases import CASES, RIGHT

pytestmark = pytest.mark.integration

ROW = b"%b-10-01 00:00:00 UTC,view,1,2,,apple,9.90,3,s\n"


@pytest.fixture(scope="module")
def emulator() -> Iterator[PubsubEmulator]:
    with pubsub_emulator() as running, environment(running.environment):
        yield running


@pytest.fixture
def topic(emulator: PubsubEmulator, request: pytest.FixtureRequest) -> str:
    return emulator.create_topic(f"topic-{abs(hash(request.node.name))}")


def published(path: Path, topic: str, subscription: str) -> tuple[ReplaySummary, list[Block]]:
    """The rows of a file as the pipeline gets them from Pub/Sub."""
    summary = replay(ReplaySettings(topic=topic, files=(str(path),), block_rows=5))
    blocks: list[Block] = []
    with subscriber_client() as client:
        while len(blocks) < summary.blocks:
            answer = client.pull(subscription=subscription, max_messages=200, timeout=10)
            received = answer.received_messages
            client.acknowledge(subscription=subscription, ack_ids=[one.ack_id for one in received])
            blocks += [block_of(one.message.data, one.message.attributes, one.message.message_id) for one in received]
    return summary, blocks


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_of_any_form_arrives_as_the_events_that_it_holds(
    emulator: PubsubEmulator, topic: str, name: str
) -> None:
    subscription = emulator.create_subscription(topic.rpartition("/")[2], topic)
    summary, blocks = published(CASES / name, topic, subscription)
    case = RIGHT[name]
    found = decode_blocks([replace(block, bounds=case.bounds) for block in blocks])
    assert (len(found.events), len(found.bad)) == (case.events + case.duplicates, sum(case.bad.values()))
    assert found.rows == summary.rows


def test_no_row_waits_for_a_stray_year(topic: str) -> None:
    summary = replay(ReplaySettings(topic=topic, files=(str(CASES / "outlier_first.csv"),), speed=1))
    assert (summary.rows, summary.finished) == (3, True)
    assert summary.seconds < 20


def test_a_gap_of_years_is_told_and_may_be_ended(topic: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gap.csv"
    path.write_bytes(b"".join(ROW % year for year in (b"2018", b"2019", b"2025")))
    stop = threading.Event()
    threading.Timer(1, stop.set).start()
    summary = replay(ReplaySettings(topic=topic, files=(str(path),), speed=1e-6), stop=stop)
    assert (summary.rows, summary.finished) == (1, False)
    assert "no event before 2019-10-01T00:00:00Z: the replay waits 8760000000.0 hours" in caplog.text
