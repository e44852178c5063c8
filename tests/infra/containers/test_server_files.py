"""What is put into the stores' containers, on real servers and with stand-ins for the images' own scripts."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.wire import Connection, CqlError
from app.events.generator import Settings, generate
from app.local.cassandra import CassandraOptions, cassandra_server
from app.local.process import LOOPBACK
from app.local.redis import RedisOptions, redis_server, start_redis
from infra.containers import FILES, cassandra, mysql, redis
from tests.batch.stores.redis_loads import load, settings_of, stage


@pytest.mark.integration
def test_redis_users_can_do_their_work_and_no_more(tmp_path: Path) -> None:
    access = tmp_path / "users.acl"
    access.write_text(redis._users("loads", "reads"))
    assert "loads" not in access.read_text()
    server = start_redis(tmp_path, RedisOptions(more=(f"aclfile {access}",)))
    try:
        nobody = Redis(LOOPBACK, server.port)
        server.server.wait_until(lambda: _answers(nobody))
        load(settings_of(server, user="loader", password="loads"), *_staged(tmp_path))
        reader = Redis(LOOPBACK, server.port, username="grafana", password="reads", decode_responses=True)
        keys = list(reader.scan_iter(match="{shop}:*", count=1_000))
        assert keys
        loader = Redis(LOOPBACK, server.port, username="loader", password="loads")
        for forbidden in (
            lambda: reader.delete(keys[0]),
            lambda: reader.get("another"),
            lambda: loader.flushall(),
            lambda: loader.config_get("dir"),
            lambda: nobody.get(keys[0]),
        ):
            with pytest.raises(NoPermissionError):
                forbidden()
    finally:
        server.server.stop()


@pytest.mark.integration
def test_redis_takes_its_configuration(tmp_path: Path) -> None:
    lines = [line for line in redis._configuration(64).splitlines() if not line.startswith(("port", "dir", "aclfile"))]
    with redis_server(RedisOptions(more=tuple(lines))) as server:
        client = Redis(LOOPBACK, server.port, password=server.password, decode_responses=True)
        assert client.config_get("maxmemory") == {"maxmemory": str(64 << 20)}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_cassandra_asks_for_passwords_whichever_way_its_settings_are_written(tmp_path: Path) -> None:
    settings = tmp_path / "cassandra.yaml"
    settings.write_text(
        "authenticator:\n"
        "  class_name: AllowAllAuthenticator\n"
        "# authorizer: AllowAllAuthorizer is the default\n"
        "authorizer: AllowAllAuthorizer\n"
        "internode_authenticator:\n"
        "  class_name: org.apache.cassandra.auth.AllowAllInternodeAuthenticator\n"
    )
    _start_cassandra(tmp_path)
    assert settings.read_text() == (
        "authenticator:\n"
        "  class_name: PasswordAuthenticator\n"
        "# authorizer: AllowAllAuthorizer is the default\n"
        "authorizer: CassandraAuthorizer\n"
        "internode_authenticator:\n"
        "  class_name: org.apache.cassandra.auth.AllowAllInternodeAuthenticator\n"
    )


def test_cassandras_own_settings_take_the_place_of_the_images(tmp_path: Path) -> None:
    settings = tmp_path / "cassandra.yaml"
    settings.write_text("# batch_size_fail_threshold: 1KiB\nbatch_size_fail_threshold: 50KiB\nauto_snapshot: true\n")
    _start_cassandra(tmp_path, "batch_size_fail_threshold: 1MiB\nnew: 1\n")
    assert settings.read_text().splitlines() == [
        "# batch_size_fail_threshold: 1KiB",
        "auto_snapshot: true",
        "batch_size_fail_threshold: 1MiB",
        "new: 1",
    ]


def test_a_new_cassandra_answers_to_its_own_machine_alone_until_the_known_password_is_closed(tmp_path: Path) -> None:
    (tmp_path / "cassandra.yaml").touch()
    _cassandra_script(tmp_path)
    called = tmp_path / "called"
    _program(
        tmp_path,
        "docker-entrypoint.sh",
        f"""[ "$CASSANDRA_RPC_ADDRESS" ] || {{ echo open >> {called}; exit; }}
        trap 'echo "ends" >> {called}; exit' TERM
        echo "open to $CASSANDRA_RPC_ADDRESS" >> {called}
        while :; do sleep 0.1; done""",
    )
    # The administrator is known from the second question on, as the first one's answer makes it.
    _program(tmp_path, "cqlsh", f"""echo "${{2##*/}}" >> {called}; [ $(grep -c admin {called}) -gt 1 ]""")
    _start(tmp_path)
    closed = called.read_text().split("ends")[0].splitlines()
    # It may take longer to begin than the first question.
    assert sorted(closed) == ["admin", "admin", "built-in", "open to 127.0.0.1"]
    assert "open" in called.read_text().split("ends")[1].splitlines()
    called.write_text("")
    _start(tmp_path)
    again = called.read_text().splitlines()
    assert "open" in again
    assert "open to 127.0.0.1" not in again


def test_a_cassandra_that_ends_at_its_first_start_ends_the_container(tmp_path: Path) -> None:
    (tmp_path / "cassandra.yaml").touch()
    _cassandra_script(tmp_path)
    _program(tmp_path, "docker-entrypoint.sh", "exit 3")
    _program(tmp_path, "cqlsh", "exit 1")
    with pytest.raises(subprocess.CalledProcessError):
        _start(tmp_path)
    assert not list((tmp_path / "data").iterdir())


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_cassandras_users_have_the_rights_that_their_statements_say() -> None:
    with cassandra_server(CassandraOptions(heap_mb=512)) as server:
        first = CassandraSettings((LOOPBACK,), server.port, "cassandra", server.admin_password)
        for line in cassandra._administrator("rules").splitlines():
            _ask_until_known(first, line)
        administrator = replace(first, user="administrator", password="rules")
        for _ in range(2):
            for statement in filter(str.strip, cassandra._users("loads", "reads").split(";")):
                _ask_until_known(administrator, statement)
        loader = replace(first, user="loader", password="loads")
        reader = replace(first, user="grafana", password="reads")
        _ask_until_known(loader, "CREATE TABLE shop.t (id int PRIMARY KEY)")
        _ask_until_known(loader, "INSERT INTO shop.t (id) VALUES (1)")
        _ask_until_known(reader, "SELECT * FROM shop.t")
        for settings, forbidden in (
            (reader, "INSERT INTO shop.t (id) VALUES (2)"),
            (loader, "CREATE ROLE another"),
            (loader, "CREATE KEYSPACE another WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"),
            (first, "SELECT * FROM shop.t"),
        ):
            with pytest.raises(CqlError):
                _ask(settings, forbidden)


def test_mysql_has_its_users_made_by_the_image_at_first_and_by_itself_afterwards(tmp_path: Path) -> None:
    assert _run("mysql.sh", tmp_path, "--local-infile=1") == ["mysqld --local-infile=1"]
    script = (FILES / "mysql.sh").read_text()
    data = tmp_path / "data"
    (data / "mysql").mkdir(parents=True)
    (tmp_path / "mysql.sh").write_text(script.replace("/var/lib/mysql", str(data)))
    assert _run(tmp_path / "mysql.sh", tmp_path, "--local-infile=1") == [
        "mysqld --local-infile=1 --init-file=/docker-entrypoint-initdb.d/users.sql"
    ]


def test_mysqls_statements_are_one_on_a_line_as_init_file_wants_them() -> None:
    lines = mysql._statements("loads", "reads").splitlines()
    assert all(line.endswith(";") for line in lines)
    assert any("'grafana'@'%' IDENTIFIED BY 'reads'" in line for line in lines)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


def _staged(folder: Path):  # type: ignore[no-untyped-def]
    return stage(folder, b"".join(generate(Settings(events=2_000, seed=3, days=1))))


def _ask_until_known(settings: CassandraSettings, statement: str) -> None:
    """Ask as a user whose password or rights are new, which the server knows after some seconds."""
    end = time.monotonic() + 60
    while True:
        try:
            _ask(settings, statement)
        except CqlError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        else:
            return


def _ask(settings: CassandraSettings, statement: str) -> None:
    connection = Connection(settings, LOOPBACK)
    try:
        connection.query(statement)
    finally:
        connection.close()


def _start_cassandra(folder: Path, own: str = "") -> None:
    """Run the script for a server whose known password is closed."""
    script = _cassandra_script(folder, own)
    (folder / "data" / "built-in-user-is-closed").touch()
    assert _run(script, folder, CASSANDRA_CONF=str(folder)) == ["cassandra -f"]


def _cassandra_script(folder: Path, own: str = "") -> Path:
    (folder / "settings").write_text(own)
    (folder / "data").mkdir()
    script = folder / "cassandra.sh"
    text = (FILES / "cassandra.sh").read_text().replace("/etc/shop", str(folder))
    script.write_text(text.replace("/var/lib/cassandra", str(folder / "data")).replace("/tmp/users.log", "/dev/null"))
    return script


def _run(script: str | Path, folder: Path, *arguments: str, **variables: str) -> list[str]:
    """Run a container's script with an entry point that notes how it was called."""
    called = folder / "called"
    called.unlink(missing_ok=True)
    _program(folder, "docker-entrypoint.sh", f'echo "$*" >> {called}')
    _program(folder, "cqlsh", "exit 0")
    _start_script(script, folder, *arguments, **variables)
    return called.read_text().splitlines()


def _start(folder: Path) -> None:
    _start_script(folder / "cassandra.sh", folder, CASSANDRA_CONF=str(folder))


def _start_script(script: str | Path, folder: Path, *arguments: str, **variables: str) -> None:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **variables}
    subprocess.run(["bash", str(FILES / script), *arguments], env=environment, check=True, timeout=60)


def _program(folder: Path, name: str, text: str) -> None:
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
