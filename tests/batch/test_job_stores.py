"""The job with the real servers of its stores: loaded whole, added to, killed, one server down, two jobs at once."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.analytics import QUESTIONS
from app.events.generator import Settings, generate
from app.events.ledger import read_not_loaded
from app.local.store_servers import StoreServers, store_servers
from tests.batch.held import HOLDS, IS_LOADING, hold
from tests.batch.job_process import ROOT, Jobs, contents, job_environment, jobs, ledger

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

STORES = tuple(HOLDS)
ALL = ("--stores", ",".join(("embedded", *STORES)))
WAIT_SECONDS = 600
# Long enough for a server on a busy machine, short enough for a test of one that is away.
PATIENCE = {
    "MYSQL_RETRY_SECONDS": "5",
    "REDIS_RETRY_SECONDS": "5",
    "REDIS_LOCK_SECONDS": "5",
    "REDIS_TIMEOUT_SECONDS": "10",
    "CASSANDRA_RETRY_SECONDS": "5",
    "CASSANDRA_TIMEOUT_SECONDS": "10",
    "CASSANDRA_LOCK_SECONDS": "5",
}


@dataclass(frozen=True)
class Shop:
    """Event files, servers, a process that runs jobs on them, and what a run over both files leaves."""

    first: Path
    second: Path
    servers: StoreServers
    job: Jobs
    out: Path
    shown: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return job_environment() | self.servers.environment | PATIENCE

    def holds(self) -> dict[str, Any]:
        return contents(self.out) | hold(self.servers.running)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    first, second, out = folder / "1.csv", folder / "2.csv", folder / "out"
    header, *rows = b"".join(generate(Settings(events=8_000, seed=4, bad=0.01, days=3))).splitlines(keepends=True)
    first.write_bytes(header + b"".join(rows[:5_000]))
    second.write_bytes(header + b"".join(rows[4_000:]))
    with store_servers(STORES) as servers:
        assert not servers.missing
        with jobs(folder, **servers.environment, **PATIENCE) as job:
            outcome = job.run("--events", first, second, "--out", out, *ALL, "--json")
            assert outcome.code == 0, outcome.said
            assert set(json.loads(outcome.printed)["stores"]) == {"embedded", *STORES}
            yield Shop(first, second, servers, job, out, contents(out) | hold(servers.running))


def test_every_store_holds_the_events_of_the_ledger(shop: Shop) -> None:
    found = ledger(shop.out)
    assert found.bad > 0
    assert found.duplicates > 900
    assert sum(int(row["events"]) for row in shop.shown["event_types"]) == found.stored
    assert sum(map(int, shop.shown["redis"]["{shop}:days"].values())) == found.stored
    assert sum(map(int, shop.shown["redis"]["{shop}:bad"].values())) == found.bad
    assert shop.shown["cassandra"]["visits"]["event_count"] == found.stored
    assert len(shop.shown["cassandra"]["bad_events"]) == found.bad


def test_the_answers_in_mysql_are_those_of_the_embedded_store(shop: Shop) -> None:
    for name in QUESTIONS:
        assert len(shop.shown["mysql"][name]) == len(shop.shown[name]), name


def test_a_day_that_is_added_and_loaded_again_leaves_in_every_store_what_one_run_leaves(shop: Shop) -> None:
    rows = shop.second.read_bytes()
    seen = [shop.shown]
    for half, arguments in (
        (True, ("--events", shop.first)),
        (True, ("--add", shop.second)),
        (False, ("--add", shop.second)),  # the day once more, now with all of its rows
    ):
        shop.second.write_bytes(rows[: rows.index(b"\n", len(rows) // 2) + 1] if half else rows)
        outcome = shop.job.run(*arguments, "--out", shop.out, *ALL)
        assert outcome.code == 0, outcome.said
        seen.append(shop.holds())
    assert seen[1] != seen[2] != seen[0]
    assert seen[3] == seen[0]


def test_stores_that_are_down_cost_no_other_and_are_loaded_later_without_reading(shop: Shop) -> None:
    down = ("mysql", "cassandra")
    outcome = shop.job.run("--events", shop.first, "--out", shop.out, *ALL)
    assert outcome.code == 0, outcome.said
    with ExitStack() as stack:
        for store in down:
            stack.enter_context(shop.servers.running[store].server.paused())
        outcome = shop.job.run("--events", shop.first, shop.second, "--out", shop.out, *ALL)
        assert outcome.code == 8, outcome.said
        for store in down:
            assert f"not loaded: {store}: " in outcome.said
            assert f"{store} at 127.0.0.1".lower() in outcome.said.lower()
        missing = read_not_loaded(shop.out / "ledger.json")
        assert tuple(missing) == down
        with duckdb.connect(shop.out / "batch.duckdb", read_only=True) as database:
            assert database.execute("SELECT store, error FROM not_loaded").fetchall() == list(missing.items())
        assert contents(shop.out) == {name: shop.shown[name] for name in contents(shop.out)}
        assert HOLDS["redis"](shop.servers.running["redis"]) == shop.shown["redis"]
    outcome = shop.job.run("--add", "--out", shop.out, *ALL)
    assert outcome.code == 0, outcome.said
    assert not read_not_loaded(shop.out / "ledger.json")
    assert shop.holds() == shop.shown


def test_a_job_killed_while_it_loads_a_store_changes_nothing_and_the_next_is_whole(shop: Shop, tmp_path: Path) -> None:
    for store in STORES:
        with started(shop, tmp_path, "--events", shop.first, "--stores", f"embedded,{store}") as run:
            wait_until(partial(IS_LOADING[store], shop.servers.running[store]), run)
            run.kill()
            run.wait()
        assert hold(shop.servers.running) == {name: shop.shown[name] for name in STORES}, store
    end = time.monotonic() + WAIT_SECONDS
    while (outcome := shop.job.run("--events", shop.first, shop.second, "--out", shop.out, *ALL)).code == 7:
        assert time.monotonic() < end  # the killed jobs' locks end by themselves, in some stores after a while
    assert outcome.code == 0, outcome.said
    assert shop.holds() == shop.shown
    assert not any(IS_LOADING[store](server) for store, server in shop.servers.running.items())


def test_a_second_job_on_the_same_stores_says_so_and_neither_it_nor_an_interrupted_one_changes_anything(
    shop: Shop, tmp_path: Path
) -> None:
    with started(shop, tmp_path, "--events", shop.first, "--stores", ",".join(STORES), "--staging", tmp_path) as run:
        wait_until(lambda: any(IS_LOADING[store](server) for store, server in shop.servers.running.items()), run)
        outcome = shop.job.run("--events", shop.first, shop.second, "--out", shop.out, *ALL)
        assert outcome.code == 7, outcome.said
        assert "another run" in outcome.said
        run.send_signal(signal.SIGINT)
        assert run.wait(WAIT_SECONDS) == 130
    assert shop.holds() == shop.shown


@contextmanager
def started(shop: Shop, folder: Path, *arguments: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A run with a folder of its own, which is over when the block is left."""
    command = [sys.executable, "-m", "app.batch.job", *map(str, arguments), "--out", str(folder / "out")]
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=shop.environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(there: Callable[[], bool], run: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not there():
        assert run.poll() is None, "the run ended before"
        assert time.monotonic() < end
        time.sleep(0.02)
