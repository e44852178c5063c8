"""Nothing is lost and nothing counts twice when the pipeline is killed, or a service does not answer for a while."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.local.emulators import Emulators
from app.local.job import module_job
from tests.stream.shop import Shop, blocks, expected, generated, open_shop, wait_for

pytestmark = pytest.mark.integration

ACK_DEADLINE = 10
"""The shortest that Pub/Sub allows [seconds]."""
LATER = f"--until_idle={ACK_DEADLINE + 4}"
"""Wait until what a killed run, or a dead connection, had been given is delivered again."""


@pytest.fixture
def impatient_shop(cloud: Emulators) -> Shop:
    return open_shop(cloud, ack_deadline_seconds=ACK_DEADLINE)


def test_killed_thrice_it_ends_with_the_same_ledger_counts_and_answers(impatient_shop: Shop, tmp_path: Path) -> None:
    shop = impatient_shop
    data, summary = generated(8_000, bad=0.01)
    messages = blocks(data, rows=25)
    half = len(messages) // 2

    with shop.publishing(messages[:half], seconds=6):
        _kill(shop, tmp_path, lambda: shop.count("event_log") > 0, "--until_idle=60")
    assert 0 < shop.count("event_log") < summary.events / 2, "the kill came too late to prove anything"

    with shop.publishing(messages[half:], seconds=6):
        stored = shop.count("event_log")
        _kill(shop, tmp_path, lambda: shop.count("event_log") > stored, "--until_idle=60")

    counted = shop.count("activity_log")
    _kill(shop, tmp_path, lambda: shop.count("activity_log") > counted, "--until_idle=1")

    with module_job("last run", "app.stream.pipeline", shop.options(LATER), tmp_path) as job:
        job.wait()
    truth = expected(*messages)
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)


def _kill(shop: Shop, folder: Path, when: Callable[[], bool], *options: str) -> None:
    """Run the pipeline until something has happened, then kill it at once."""
    with module_job("pipeline to kill", "app.stream.pipeline", shop.options(*options), folder) as job:
        wait_for(lambda: when() or not job.is_running)
        if job.is_running:
            os.kill(job.pid, signal.SIGKILL)


@pytest.mark.parametrize(("service", "idle"), [("pubsub", LATER), ("bigquery", "--until_idle=4")])
def test_a_service_that_is_gone_for_20_seconds_costs_time_and_nothing_else(
    cloud: Emulators, impatient_shop: Shop, tmp_path: Path, service: str, idle: str
) -> None:
    shop = impatient_shop
    data, summary = generated(6_000, bad=0.01)
    messages = blocks(data, rows=50)
    with module_job("pipeline", "app.stream.pipeline", shop.options(idle), tmp_path) as job:
        with shop.publishing(messages, seconds=10):
            wait_for(lambda: shop.count("event_log") > 0)
            assert shop.count("event_log") < summary.events, "the outage would come too late to prove anything"
            with getattr(cloud, service).server.paused():
                time.sleep(20)
                assert job.is_running
        job.wait()
    truth = expected(*messages)
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)
