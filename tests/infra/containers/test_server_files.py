"""What is put into the stores' containers, on real servers and with stand-ins for the images' own scripts."""

import os
import subprocess
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from app.events.generator import Settings, generate
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
    ran = _run("cassandra.sh", tmp_path, CASSANDRA_CONF=str(tmp_path))
    assert ran == ["cassandra -f"]
    assert settings.read_text() == (
        "authenticator:\n"
        "  class_name: PasswordAuthenticator\n"
        "# authorizer: AllowAllAuthorizer is the default\n"
        "authorizer: CassandraAuthorizer\n"
        "internode_authenticator:\n"
        "  class_name: org.apache.cassandra.auth.AllowAllInternodeAuthenticator\n"
    )


def test_cassandras_users_get_their_passwords_and_rights_anew() -> None:
    statements = cassandra._users("loads", "reads")
    assert "ALTER ROLE loader WITH PASSWORD = 'loads' AND LOGIN = true AND SUPERUSER = false;" in statements
    assert "GRANT SELECT ON KEYSPACE shop TO grafana;" in statements
    assert "GRANT MODIFY ON KEYSPACE shop TO grafana;" not in statements
    assert "ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false;" in statements


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


def _run(script: str | Path, folder: Path, *arguments: str, **variables: str) -> list[str]:
    """Run a container's script with an entry point that notes how it was called."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    called = folder / "called"
    called.unlink(missing_ok=True)
    for name, text in (("docker-entrypoint.sh", f'echo "$*" >> {called}'), ("cqlsh", "exit 0")):
        program = programs / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", **variables}
    subprocess.run(["bash", str(FILES / script), *arguments], env=environment, check=True, timeout=60)
    return called.read_text().splitlines()
