"""The Redis store where it works, in Spark's executors; what it holds against the answers to the questions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.batch.errors import StoreError
from app.batch.settings import Settings as BatchSettings
from app.batch.spark_session import spark_session
from app.batch.stores import Stored
from app.batch.stores.redis import Shop
from app.events.files import read_blocks
from app.events.generator import Settings, generate
from app.local.emulators import environment
from app.local.java import get_java
from app.local.redis import RedisServer, redis_server
from tests.batch.job_process import ROOT, expected
from tests.batch.stores.redis_loads import (
    client_of,
    content,
    fill,
    ledger_of,
    load,
    opened,
    settings_of,
    shown,
    stage,
)
from tests.conftest import UNAVOIDABLE

pytestmark = pytest.mark.integration

REAL = [ROOT.parent / "shared" / "data" / f"rees46-2019-{month}-head.csv.gz" for month in ("oct", "nov")]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("spark")
    settings = BatchSettings(events=("-",), out=folder, master="local[2]", memory="1g")
    with environment(get_java().environment), spark_session(settings, folder) as session:
        yield session


def test_executors_write_what_one_process_writes_and_the_questions_answer(
    server: RedisServer, spark: Any, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv"
    file.write_bytes(b"".join(generate(Settings(events=20_000, seed=4, days=5, bad=0.02))))
    ingested, events = stage(tmp_path / "staged", file.read_bytes())
    settings = settings_of(server)
    load(settings, ingested, events)
    by_one = content(server)
    with opened(settings) as store:
        ledger = ledger_of(ingested)
        assert store.write_events(spark, ingested) == Stored(ledger.stored, ledger.bad)
        fill(store, ingested, events)
        store.commit()
    assert content(server) == by_one
    _check_against_answers(server, [file])


def test_a_server_that_executors_cannot_reach_is_named_without_a_stack_trace(
    server: RedisServer, spark: Any, tmp_path: Path
) -> None:
    ingested, _ = stage(tmp_path, b"".join(generate(Settings(events=2_000, seed=4, days=2))))
    with opened(settings_of(server, retry_seconds=0)) as store, client_of(server) as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreError, match="is full; raise its maxmemory") as told:
            store.write_events(spark, ingested)
        assert "Traceback" not in str(told.value)


@pytest.mark.skipif(not all(file.exists() for file in REAL), reason=f"{UNAVOIDABLE}the real rows are not here")
def test_real_rows_are_counted_as_by_the_questions(server: RedisServer, tmp_path: Path) -> None:
    # The first file ends within a row.
    data = b"\n".join(b"".join(block.data for block in read_blocks(str(file), 10_000)) for file in REAL)
    ingested, events = stage(tmp_path, data)
    load(settings_of(server), ingested, events)
    _check_against_answers(server, REAL)


def _check_against_answers(server: RedisServer, files: list[Path]) -> None:
    """Compare the store with answers to questions that were made without it."""
    answers, ledger = expected(files)
    assert shown(settings_of(server)) == ledger.stored
    with Shop(settings_of(server)) as shop:
        assert shop.funnel() == answers["session_funnel"].to_pylist()[0]
        assert sum(shop.bad_events().values()) == ledger.bad
        scores = {one.name: one for one in shop.top("brands", "purchases", 100_000)}
        money = {one.name: one.money for one in shop.top("brands", "revenue_cents", 100_000)}
        for row in answers["top_brands"].to_pylist():
            assert (scores[row["brand"]].score, money[row["brand"]]) == (row["purchases"], row["revenue"])
        for row in answers["daily_activity"].to_pylist():
            day = shop.day(row["event_date"])
            assert day.events[row["event_type"]] == row["events"]
            if row["event_type"] == "purchase":
                assert day.revenue == row["revenue"]
                assert shop.buyers(row["event_date"]) == pytest.approx(row["users"], rel=0.05, abs=2)
        viewed = {one.name: one.score for one in shop.top("sub_categories", "views", 100_000)}
        for row in answers["most_viewed_sub_categories"].to_pylist():
            assert viewed[f"{row['department']}.{row['sub_category']}"] == row["views"]
