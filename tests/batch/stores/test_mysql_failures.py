"""The MySQL store in trouble: a server that ends, is slow, full or refuses, and a job that is killed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pymysql
import pytest

from app.analytics import QUESTIONS
from app.batch.errors import StoreError
from app.batch.stores import Run
from app.batch.stores.mysql import MysqlSettings, MysqlStore
from app.events.generator import Settings as Generated
from app.events.generator import generate
from app.local.mysql import MysqlServer, mysql_server, restart_mysql
from app.local.process import free_port
from tests.batch.stores.mysql_loads import Load, ask, fill, load, of, prepared, settings_of, shown, spark_here

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
_MANY = 300_000
_PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[MysqlServer]:
    with mysql_server() as running:
        yield running


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with spark_here(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Load:
    data = b"".join(generate(Generated(events=3_000, seed=5, days=2, bad=0.01, header=False)))
    return prepared(tmp_path_factory.mktemp("small"), data)


def many_rows(count: int = _MANY) -> pa.Table:
    """An answer that takes a while to load."""
    values = {
        "session_key": [f"session {number}" for number in range(count)],
        "session_start": [datetime(2019, 10, 1, tzinfo=UTC)] * count,
        "user_id": range(count),
        "events": [1] * count,
        "seconds": [1] * count,
        "events_per_minute": [0.5] * count,
        "products": [1] * count,
        "reason": ["one product"] * count,
    }
    return pa.table(values, QUESTIONS["bot_sessions"].schema)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_loading(server: MysqlServer) -> bool:
    return bool(ask(server, "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'LOAD DATA%'", "root"))


def is_staged(server: MysqlServer, table: str) -> bool:
    return any(name.startswith(table) for (name,) in ask(server, "SHOW TABLES FROM shop_staging", "root"))


@contextmanager
def killed_and_restarted(server: MysqlServer, when: Callable[[], object]) -> Iterator[None]:
    """Kill the server when something holds, meanwhile, and start it again a moment later."""
    again: list[MysqlServer] = []

    def work() -> None:
        wait_for(when)
        os.kill(server.server.pid, signal.SIGKILL)
        server.server.process.wait()
        time.sleep(1)
        again.append(restart_mysql(server))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        worker.join()
        again[0].server.stop()


def test_a_server_that_is_killed_at_any_step_and_started_again_holds_the_run(spark: Any, small: Load) -> None:
    with mysql_server() as server:
        load(settings_of(server), spark, small)
        store = MysqlStore(settings_of(server))
        store.open(Run.begin())
        with killed_and_restarted(server, lambda: is_staged(server, "activity")):
            fill(store, spark, small)
            store.verify(small.ledger)
            store.commit()
            store.close()
            assert shown(server) == of(small)


def test_a_server_that_is_killed_while_it_loads_holds_each_row_once() -> None:
    with mysql_server() as server:
        store, run = MysqlStore(settings_of(server)), Run.begin()
        store.open(run)
        with killed_and_restarted(server, lambda: is_loading(server)):
            store.write_answer("bot_sessions", many_rows())
            table = f"shop_staging.`bot_sessions-{run.id.lower()}`"
            held = f"SELECT COUNT(*), COUNT(DISTINCT user_id), SUM(user_id) FROM {table}"
            assert ask(server, held, "root") == [(_MANY, _MANY, _MANY * (_MANY - 1) // 2)]
            store.close()


def test_a_server_that_is_killed_before_the_swap_swaps_when_it_is_back(spark: Any, small: Load) -> None:
    with mysql_server() as server:
        store = MysqlStore(settings_of(server))
        store.open(Run.begin())
        fill(store, spark, small)
        store.verify(small.ledger)
        ended = threading.Event()
        with killed_and_restarted(server, lambda: True):
            server.server.process.wait()
            store.commit()
            store.commit()  # as after a lost answer: there is nothing left to swap
            store.close()
            ended.set()
            assert shown(server) == of(small)


def test_a_job_that_is_killed_while_it_loads_leaves_what_was_and_lets_the_next_in(
    server: MysqlServer, spark: Any, small: Load
) -> None:
    load(settings_of(server), spark, small)
    script = (
        "from app.batch.stores import Run\n"
        "from app.batch.stores.mysql import MysqlStore\n"
        "from tests.batch.stores.test_mysql_failures import many_rows\n"
        "store = MysqlStore.from_environment()\n"
        "store.open(Run.begin())\n"
        "while True:\n"
        "    store.write_answer('bot_sessions', many_rows())\n"
    )
    job = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **server.environment})
    try:
        wait_for(lambda: is_loading(server))
        assert is_staged(server, "bot_sessions")
    finally:
        job.kill()
        job.wait()
    assert shown(server) == of(small)
    wait_for(lambda: not is_loading(server))
    load(settings_of(server), spark, small)
    assert shown(server) == of(small)
    assert not is_staged(server, "")


def test_a_server_that_is_down_is_named_after_a_while() -> None:
    port = free_port()
    store = MysqlStore(MysqlSettings("127.0.0.1", port, password="x", retry_seconds=2))
    began = time.monotonic()
    with pytest.raises(StoreError, match=f"MySQL at 127.0.0.1:{port} does not answer .*tried for 2 s.*MYSQL_HOST"):
        store.open(Run.begin())
    assert time.monotonic() - began < 30
    store.close()


@pytest.mark.timeout(120)
def test_a_server_that_does_not_even_greet_is_not_waited_for_as_for_an_answer(server: MysqlServer) -> None:
    settings = settings_of(server, timeout_seconds=600, retry_seconds=0)
    with server.server.paused(), pytest.raises(StoreError, match="does not answer"):
        MysqlStore(settings).open(Run.begin())


def test_a_server_that_is_too_slow_is_named_and_goes_on_later(server: MysqlServer) -> None:
    store = MysqlStore(settings_of(server, timeout_seconds=1, retry_seconds=2))
    store.open(Run.begin())
    with server.server.paused(), pytest.raises(StoreError, match="does not answer"):
        store.write_answer("event_types", QUESTIONS["event_types"].schema.empty_table())
    store.write_answer("event_types", QUESTIONS["event_types"].schema.empty_table())
    store.close()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong"}, "refuses the user 'loader' .*MYSQL_PASSWORD"),
        ({"user": "nobody"}, "refuses the user 'nobody'"),
        ({"database": "other"}, "does not let the user 'loader' do this .*app.batch.stores.mysql.grants"),
    ],
)
def test_a_server_that_refuses_is_not_asked_again(server: MysqlServer, changed: dict[str, str], said: str) -> None:
    store = MysqlStore(settings_of(server, **changed))
    began = time.monotonic()
    with pytest.raises(StoreError, match=said) as raised:
        store.open(Run.begin())
    assert time.monotonic() - began < 20
    assert "wrong" not in str(raised.value)
    store.close()


def test_a_reader_loads_nothing(server: MysqlServer) -> None:
    reader = {"user": server.grafana.name, "password": server.grafana.password}
    with pytest.raises(StoreError, match="does not let the user 'grafana' do this"):
        MysqlStore(settings_of(server, **reader)).open(Run.begin())


def test_a_server_that_takes_no_local_files_is_told_so(server: MysqlServer) -> None:
    ask(server, "SET GLOBAL local_infile = 0", "root")
    try:
        with pytest.raises(StoreError, match="start it with local_infile=ON"):
            MysqlStore(settings_of(server)).open(Run.begin())
    finally:
        ask(server, "SET GLOBAL local_infile = 1", "root")


def test_rows_that_do_not_fit_are_an_error_and_not_cut(server: MysqlServer) -> None:
    store = MysqlStore(settings_of(server))
    store.open(Run.begin())
    too_long = pa.table({"event_type": ["x" * 300], "events": [1], "share": [1.0]}, QUESTIONS["event_types"].schema)
    with pytest.raises(StoreError, match="Data too long for column 'event_type'"):
        store.write_answer("event_types", too_long)
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a server and little more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=240m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("unavoidable: only root may mount a small disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_under_the_server_leaves_what_was(small_disk: Path, spark: Any, small: Load) -> None:
    with mysql_server(folder=small_disk) as server:
        load(settings_of(server), spark, small)
        store = MysqlStore(settings_of(server))
        store.open(Run.begin())
        with pytest.raises(StoreError, match=r"the disk of MySQL at 127\.0\.0\.1:\d+ is full .*free space there"):
            store.write_answer("bot_sessions", many_rows(2_000_000))
        store.close()
        assert shown(server) == of(small)
        load(settings_of(server), spark, small)
        assert shown(server) == of(small)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority and a server's certificate for 127.0.0.1, and an authority that signed nothing."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "other"):
        made = [*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True)
    signed = [
        *new,
        "-subj",
        "/CN=server",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
    ]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "server.key", "-out", "server.pem"]
    subprocess.run(signed, cwd=folder, check=True, capture_output=True)
    return folder


def test_an_encrypted_connection_checks_the_servers_certificate(certificates: Path) -> None:
    options = [f"--ssl-{kind}={certificates / name}" for kind, name in (("cert", "server.pem"), ("key", "server.key"))]
    with mysql_server(options=options) as server:
        store = MysqlStore(settings_of(server, tls_ca=str(certificates / "ca.pem")))
        store.open(Run.begin())
        assert store._session.connection
        with store._session.connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
            assert "TLSv1" in str(cursor.fetchall())
        store.write_answer("event_types", QUESTIONS["event_types"].schema.empty_table())
        store.close()
        trusting_another = settings_of(server, tls_ca=str(certificates / "other.pem"))
        for settings in (
            trusting_another,
            replace(trusting_another, tls_ca=str(certificates / "ca.pem"), host="localhost"),
        ):
            with pytest.raises(StoreError, match=r"certificate of MySQL at .* is not to be trusted .*MYSQL_TLS_CA"):
                MysqlStore(settings).open(Run.begin())
        with pytest.raises(pymysql.Error):
            server.connect(replace(server.loader, password="wrong"))
