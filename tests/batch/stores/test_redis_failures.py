"""The Redis store in trouble: afterwards its content is exactly right, or as it was, and the error says what to do."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pytest

from app.batch.errors import StoreBusyError, StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.redis import RedisSettings, RedisStore
from app.events.generator import Settings, generate
from app.local.process import LOOPBACK, free_port
from app.local.redis import RedisOptions, RedisServer, redis_server, start_redis
from tests.batch.stores.redis_loads import (
    Here,
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

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
Staged = tuple[Ingested, pa.Table]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    data = b"".join(generate(Settings(events=2_000, seed=1, days=2)))
    return stage(tmp_path_factory.mktemp("old"), data)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    data = b"".join(generate(Settings(events=20_000, seed=2, days=4, bad=0.01)))
    return stage(tmp_path_factory.mktemp("new"), data)


@pytest.fixture(scope="module")
def right(new: Staged) -> dict[str, object]:
    """What a load of `new` leaves where nothing goes wrong."""
    with redis_server() as server:
        load(settings_of(server), *new)
        return content(server)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


Keeps = Literal["everything", "a snapshot", "nothing"]


class Restarted:
    """A server that can be killed, and started again with the port, password and folder it had."""

    def __init__(self, folder: Path, keeps: Keeps) -> None:
        self._folder = folder
        self._keeps = keeps
        self.options = RedisOptions(port=free_port(), password='secret "of" a\\test', keeps_data=keeps == "everything")
        self.running = self.start()

    def start(self) -> RedisServer:
        self.running = start_redis(self._folder, self.options)
        self.running.wait()
        return self.running

    def kill(self) -> None:
        os.kill(self.running.server.pid, signal.SIGKILL)
        self.running.server.process.wait()

    def restart_before(self, task: int) -> Here:
        """Tasks in the midst of which the server is killed, once, to be back a while later.

        Where it keeps a snapshot, that is of the time after the first task.
        """
        done = threading.Event()

        def happen(number: int) -> None:
            if number == 1 and self._keeps == "a snapshot" and not done.is_set():
                with client_of(self.running) as client:
                    client.save()
            if number == task and not done.is_set():
                done.set()
                self.kill()
                threading.Timer(0.5, self.start).start()

        return Here(before=happen)


@pytest.mark.parametrize("keeps", get_args(Keeps))
@pytest.mark.parametrize("task", [1, 3])
def test_a_server_killed_in_the_midst_of_a_load_and_started_again_has_the_right_content(
    tmp_path: Path, old: Staged, new: Staged, right: dict[str, object], keeps: Keeps, task: int
) -> None:
    server = Restarted(tmp_path, keeps)
    try:
        settings = settings_of(server.running)
        load(settings, *old)
        with opened(settings) as store:
            fill(store, *new, server.restart_before(task))
            if keeps != "nothing":
                assert shown(settings) == ledger_of(old[0]).stored
            store.commit()
        assert content(server.running) == right
    finally:
        server.running.server.stop()


@pytest.mark.parametrize("keeps", ["a snapshot", "nothing"])
def test_a_server_killed_between_the_load_and_the_commit_shows_nothing_of_it_and_a_rerun_is_right(
    tmp_path: Path, old: Staged, new: Staged, right: dict[str, object], keeps: Keeps
) -> None:
    server = Restarted(tmp_path, keeps)
    try:
        settings = settings_of(server.running)
        load(settings, *old)
        with opened(settings) as store, client_of(server.running) as client:
            fill(store, *new)
            if keeps == "a snapshot":
                client.save()
                store.write_ledger(ledger_of(new[0]), new[0], {})  # which the snapshot has not
            server.kill()
            server.start()
            with pytest.raises(StoreError, match="run the job again"):
                store.commit()
        assert shown(settings) == (ledger_of(old[0]).stored if keeps == "a snapshot" else 0)
        load(settings, *new)
        assert content(server.running) == right
    finally:
        server.running.server.stop()


def test_a_server_that_is_down_is_named_with_what_to_do_within_the_time_allowed() -> None:
    settings = RedisSettings(LOOPBACK, free_port(), password="not told", retry_seconds=1)
    began = time.monotonic()
    with pytest.raises(StoreError, match=rf"redis://{LOOPBACK}:{settings.port}/0 cannot be reached.*REDIS_URL") as told:
        RedisStore(settings).open(Run.begin())
    assert 1 <= time.monotonic() - began < 20
    assert "not told" not in str(told.value)


def test_a_server_that_goes_away_fails_the_load_and_the_closing_does_not_wait_for_it(
    tmp_path: Path, new: Staged
) -> None:
    server = Restarted(tmp_path, "nothing")
    store = RedisStore(settings_of(server.running, retry_seconds=1))
    store.open(Run.begin())
    with pytest.raises(StoreError, match="cannot be reached"):
        store.write(Here(before=lambda number: server.kill() if number == 1 else None), new[0])
    began = time.monotonic()
    store.close()
    assert time.monotonic() - began < 10
    server.running.server.stop()


def test_a_server_that_stands_still_for_a_moment_costs_nothing(
    server: RedisServer, new: Staged, right: dict[str, object]
) -> None:
    def pause(number: int) -> None:
        if number == 1:
            block = server.server.paused()
            block.__enter__()
            threading.Timer(2, lambda: block.__exit__(None, None, None)).start()

    load(settings_of(server, timeout_seconds=1, lock_seconds=30), *new, Here(before=pause))
    assert content(server) == right


def test_a_server_that_stands_still_for_long_is_named_with_what_to_do(server: RedisServer) -> None:
    settings = settings_of(server, timeout_seconds=1, retry_seconds=1)
    with server.server.paused(), pytest.raises(StoreError, match=r"did not answer within 1 s.*REDIS_TIMEOUT_SECONDS"):
        RedisStore(settings).open(Run.begin())


def test_a_full_server_refuses_the_load_and_shows_what_it_did(old: Staged, new: Staged) -> None:
    with redis_server(RedisOptions(memory_mb=64)) as server, client_of(server) as client:
        settings = settings_of(server)
        load(settings, *old)
        before = content(server)
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + (300 << 10))
        with pytest.raises(StoreError, match=r"is full; raise its maxmemory.*REDIS_BOARD_SIZE"):
            load(settings, *new)
        assert content(server) == before
        client.config_set("maxmemory", 64 << 20)
        load(settings, *new)
        assert shown(settings) == ledger_of(new[0]).stored


def test_a_wrong_password_is_refused_at_once_and_not_told(server: RedisServer) -> None:
    settings = settings_of(server, password="wrong one", retry_seconds=60)
    began = time.monotonic()
    with pytest.raises(StoreError, match="refuses the password; set REDIS_PASSWORD") as told:
        RedisStore(settings).open(Run.begin())
    assert time.monotonic() - began < 30
    assert "wrong one" not in str(told.value)


def test_a_second_job_says_who_loads_and_the_first_goes_on(
    server: RedisServer, new: Staged, right: dict[str, object]
) -> None:
    settings = settings_of(server, lock_seconds=3)
    first = Run.begin()
    with opened(settings, first) as store:
        # Longer than the lock lasts, were it not renewed.
        with pytest.raises(StoreBusyError, match=rf"another run \({first.id}\) is loading.*REDIS_PREFIX"):
            RedisStore(settings).open(Run.begin())
        fill(store, *new)
        store.commit()
    assert content(server) == right


_KILLED = """
import sys
from pathlib import Path
from app.batch.stores import Run
from app.batch.stores.redis import RedisStore
from tests.batch.stores.redis_loads import Here, fill, stage

ingested, events = stage(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())

def wait(number):
    if number == int(sys.argv[3]):
        print("here", flush=True)
        sys.stdin.read()

store = RedisStore.from_environment()
store.open(Run.begin())
fill(store, ingested, events, Here(before=wait))
wait(-1)
"""


@pytest.mark.parametrize("task", [2, -1])
def test_a_job_killed_in_the_midst_leaves_what_was_shown_and_its_keys_go_with_the_next(
    server: RedisServer, old: Staged, new: Staged, right: dict[str, object], tmp_path: Path, task: int
) -> None:
    settings = settings_of(server)
    load(settings, *old)
    file = tmp_path / "events.csv"
    file.write_bytes(b"".join(generate(Settings(events=20_000, seed=2, days=4, bad=0.01))))
    job = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(tmp_path / "staged"), str(file), str(task)],
        cwd=ROOT,
        env={**os.environ, **server.environment, "REDIS_LOCK_SECONDS": "2", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout
    assert job.stdout.readline() == "here\n"
    job.kill()
    job.wait()
    with client_of(server) as client:
        left = client.keys("*:load:*")
        assert left
        assert all(client.ttl(key) > 0 for key in left)
    assert shown(settings) == ledger_of(old[0]).stored
    load(settings, *new)  # which waits until the lock of the killed one is over
    assert content(server) == right


def test_a_run_that_lost_its_lock_to_another_shows_nothing(server: RedisServer, old: Staged, new: Staged) -> None:
    settings = settings_of(server, lock_seconds=30)
    load(settings, *old)
    with opened(settings) as store, client_of(server) as client:
        fill(store, *new)
        client.set("{shop}:lock", "another")
        with pytest.raises(StoreError, match=re.escape("lost {shop}:lock")):
            store.commit()
        assert shown(settings) == ledger_of(old[0]).stored
        client.delete("{shop}:lock")


def test_a_replica_is_told_from_a_primary() -> None:
    options = RedisOptions(more=(f"replicaof {LOOPBACK} {free_port()}",))
    with (
        redis_server(options) as replica,
        pytest.raises(StoreError, match="is a replica; put the address of the primary"),
    ):
        RedisStore(settings_of(replica)).open(Run.begin())
