"""The same pipeline on Prism, the runner that streams: results appear while events still come."""

from pathlib import Path

import pytest

from app.local.job import module_job
from app.local.prism import PrismMissing, get_prism, prism
from tests.stream.shop import Shop, blocks, expected, generated, wait_for

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def prism_program() -> Path:
    try:
        return get_prism()
    except PrismMissing as missing:
        pytest.skip(f"unavoidable: {missing}")


def test_counts_appear_while_events_come_and_are_right_at_the_end(
    shop: Shop, prism_program: Path, tmp_path: Path
) -> None:
    data, summary = generated(6_000, bad=0.01)
    messages = blocks(data)
    half = len(messages) // 2
    with prism(prism_program) as runner:
        options = shop.options("--count_every_seconds=1", "--until_idle=5", runner=runner.options)
        with module_job("pipeline", "app.stream.pipeline", options, tmp_path) as job:
            shop.publish(messages[:half])
            wait_for(lambda: shop.count("activity_log") > 0 and shop.count("session_log") > 0)
            assert job.is_running
            shop.publish(messages)
            job.wait()
    truth = expected(*messages)
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)
