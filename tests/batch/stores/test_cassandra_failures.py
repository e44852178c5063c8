"""The Cassandra store in trouble: killed servers and jobs, wrong passwords, silence. Afterwards all is right."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.batch.errors import StoreBusyError, StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.cassandra import CassandraSettings, CassandraStore, Shop
from app.batch.stores.cassandra.load import Load, items_of, write_item
from app.batch.stores.cassandra.session import connected
from app.events.generator import Settings, generate
from app.local.cassandra import CassandraOptions, start_cassandra
from app.local.job import REPOSITORY
from app.local.process import free_port
from app.local.workspace import workspace
from tests.batch.stores.cassandra_loads import content, load, opened, settings_of, shown, stage
from tests.batch.stores.redis_loads import Here

pytestmark = pytest.mark.integration

TABLES = ("visits", "sessions", "product_days", "bad_events")


def certificate(folder: Path) -> tuple[Path, dict[str, Any]]:
    """An authority, and the settings of a server that has a certificate of it and takes plain connections too."""
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    authority = ["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]
    signed = ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-CA", "ca.pem", "-CAkey", "ca.key"]
    signed += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "server.key", "-out", "server.pem"]
    for arguments in (authority, signed):
        subprocess.run([*new, *arguments], cwd=folder, check=True, capture_output=True)
    ca, key, chain = ((folder / name).read_text() for name in ("ca.pem", "server.key", "server.pem"))
    factory = {
        "class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory",
        "parameters": {"private_key": key + chain + ca, "trusted_certificates": ca},
    }
    return folder / "ca.pem", {"enabled": True, "optional": True, "ssl_context_factory": factory}


class Restartable:
    """A server that can be killed and started again with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca, tls = certificate(folder)
        self.options = CassandraOptions(
            free_port(), "secret of the loader", "administrator", more={"client_encryption_options": tls}
        )
        self.running = start_cassandra(folder, self.options)
        self.running.wait()

    def kill(self) -> None:
        os.killpg(self.running.server.pid, signal.SIGKILL)
        self.running.server.process.wait()

    def start(self) -> None:
        self.running = start_cassandra(self._folder, self.options)

    def stop(self) -> None:
        self.running.server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Restartable]:
    with ExitStack() as stack:
        made = Restartable(stack.enter_context(workspace()))
        stack.callback(made.stop)
        yield made


@pytest.fixture
def settings(server: Restartable) -> CassandraSettings:
    return settings_of(server.running)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    data = b"".join(generate(Settings(events=6_000, seed=8, days=2, bad=0.01)))
    return stage(tmp_path_factory.mktemp("staged"), data)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    return stage(tmp_path_factory.mktemp("other"), b"".join(generate(Settings(events=1_000, seed=9, days=1))))


def test_a_server_that_is_killed_in_the_middle_and_started_again_has_all(
    server: Restartable,
    settings: CassandraSettings,
    staged: tuple[Ingested, pa.Table],
    other: tuple[Ingested, pa.Table],
) -> None:
    load(settings, staged[0])
    whole = {table: content(settings, table) for table in TABLES}
    load(settings, other[0])
    killed: list[int] = []

    def kill(task: int) -> None:
        if task == 2 and not killed:
            killed.append(task)
            server.kill()
            server.start()  # and the load goes on meanwhile

    load(settings, staged[0], Here(before=kill))
    assert killed
    assert {table: content(settings, table) for table in TABLES} == whole
    assert shown(settings) == len(staged[1])


def test_a_job_that_is_killed_in_the_middle_leaves_the_earlier_run_and_is_run_again(
    server: Restartable,
    settings: CassandraSettings,
    staged: tuple[Ingested, pa.Table],
    other: tuple[Ingested, pa.Table],
) -> None:
    load(settings, other[0])
    script = f"""
import os, signal
from app.batch.folder import Folder
from app.batch.ingest import Ingested
from tests.batch.stores.cassandra_loads import opened
from tests.batch.stores.redis_loads import Here
from app.batch.stores.cassandra import CassandraSettings
from dataclasses import replace
settings = replace(CassandraSettings.from_environment(), lock_seconds={settings.lock_seconds})
with opened(settings) as store:
    kill = lambda task: task == 3 and os.kill(os.getpid(), signal.SIGKILL)
    store.write(Here(before=kill), Ingested(Folder({staged[0].folder.root!r}), ()))
"""
    environment = {**os.environ, **server.running.environment, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, cwd=REPOSITORY, timeout=300)
    assert ended.returncode == -signal.SIGKILL
    assert shown(settings) == len(other[1])
    load(settings, staged[0])  # waits for the lock of the one that was killed
    assert shown(settings) == len(staged[1])


def test_a_run_that_lost_its_lock_shows_nothing(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, other[0])
    with opened(settings) as late, connected(settings) as session:
        late.write(Here(), staged[0])
        session.ask("UPDATE state SET owner = 'somebody else' WHERE name = 'shop'")
        with pytest.raises(StoreBusyError, match="somebody else"):
            late.commit()
        session.ask("UPDATE state SET owner = null WHERE name = 'shop'")
    assert shown(settings) == len(other[1])


def test_a_server_that_is_silent_for_a_while_costs_time_alone(
    server: Restartable, settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    impatient = replace(settings, timeout_seconds=3, lock_seconds=60)
    with ExitStack() as stack:
        awake = threading.Timer(8, stack.close)

        def pause(task: int) -> None:
            if task == 1:
                stack.enter_context(server.running.server.paused())
                awake.start()

        try:
            load(impatient, other[0], Here(before=pause))
        finally:
            awake.join()
    assert shown(settings) == len(other[1])


def test_a_wrong_password_says_what_to_set_at_once(settings: CassandraSettings) -> None:
    began = time.monotonic()
    wrong = replace(settings, password="wrong")
    with pytest.raises(StoreError, match=r"Cassandra at 127\.0\.0\.1:\d+, keyspace shop refuses the password.*_FILE"):
        CassandraStore(wrong).open(Run.begin())
    with Shop(wrong) as shop, pytest.raises(StoreError, match="refuses the password"):
        shop.run()
    assert time.monotonic() - began < settings.retry_seconds


def test_a_load_through_tls_is_the_same_and_an_unknown_authority_is_refused(
    server: Restartable, settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, other[0])
    plain = {table: content(settings, table) for table in TABLES}
    encrypted = replace(settings, tls=True, tls_ca=str(server.ca))
    load(encrypted, other[0])
    assert {table: content(encrypted, table) for table in TABLES} == plain
    with pytest.raises(StoreError, match="certificate that is not to be trusted; set CASSANDRA_TLS_CA"):
        CassandraStore(replace(settings, tls=True)).open(Run.begin())
    item = items_of(other[0])[0]
    with pytest.raises(StoreError, match="certificate that is not to be trusted"):
        write_item(Load(replace(settings, tls=True), "a", other[0].folder), item)


def test_a_user_without_rights_is_told_which_ones(settings: CassandraSettings) -> None:
    with pytest.raises(StoreError, match="GRANT CREATE, ALTER, DROP, SELECT and MODIFY ON KEYSPACE other"):
        CassandraStore(replace(settings, keyspace="other")).open(Run.begin())


def test_a_server_that_is_down_is_named_with_what_to_do(settings: CassandraSettings) -> None:
    for nowhere in (replace(settings, port=free_port()), replace(settings, hosts=("no-such-node.invalid",))):
        began = time.monotonic()
        with pytest.raises(StoreError, match="cannot be reached, tried for 1 s; start it, or set CASSANDRA_HOSTS"):
            CassandraStore(replace(nowhere, retry_seconds=1)).open(Run.begin())
        assert time.monotonic() - began >= 1


def test_a_server_that_goes_away_for_good_is_an_error_of_the_load(
    server: Restartable, settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    short = replace(settings, retry_seconds=2)
    load(settings, other[0])
    with (
        pytest.raises(StoreError, match="cannot be reached, tried for 2 s"),
        opened(short) as store,
    ):
        store.write(Here(before=lambda task: server.kill() if task == 1 else None), other[0])
    server.start()
    server.running.wait()
    assert shown(settings) == len(other[1])
