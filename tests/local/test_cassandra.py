"""The Cassandra of one machine: asks for passwords, keeps its data in its folder, and is gone afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.wire import BAD_CREDENTIALS, Connection, CqlError
from app.local.cassandra import KEYSPACE, LOADER, CassandraServer, cassandra_server
from app.local.cassandra_program import LOCK, get_cassandra, jars_of
from app.local.maven import JarsMissing, get_jars
from app.local.process import LOOPBACK, accepts_connections


@pytest.fixture(scope="module")
def server() -> Iterator[CassandraServer]:
    with cassandra_server() as running:
        yield running


def connect(server: CassandraServer, user: str, password: str) -> Connection:
    return Connection(CassandraSettings((LOOPBACK,), server.port, user, password), LOOPBACK)


@pytest.mark.integration
def test_the_loader_may_use_its_keyspace_and_nothing_else(server: CassandraServer) -> None:
    connection = connect(server, LOADER, server.password)
    connection.query(f"CREATE TABLE {KEYSPACE}.trial (id int PRIMARY KEY)")
    connection.query(f"DROP TABLE {KEYSPACE}.trial")
    replication = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    for statement in ("CREATE ROLE other", f"CREATE KEYSPACE other {replication}"):
        with pytest.raises(CqlError, match=r"privileges|permission"):
            connection.query(statement)
    connection.close()


@pytest.mark.integration
@pytest.mark.parametrize("user", ["cassandra", LOADER])
def test_the_password_that_every_new_server_has_is_of_no_use(server: CassandraServer, user: str) -> None:
    with pytest.raises(CqlError) as caught:
        connect(server, user, "cassandra")
    assert caught.value.code == BAD_CREDENTIALS
    assert server.password not in repr(server)


@pytest.mark.integration
def test_it_is_gone_afterwards_with_its_folder() -> None:
    with cassandra_server() as running:
        folder, port = running.folder, running.port
        assert (folder / "data").is_dir()
        assert running.environment["CASSANDRA_PORT"] == str(port)
    assert not folder.exists()
    assert not running.server.is_running
    assert not accepts_connections(port)


def test_an_installed_cassandra_is_taken_where_it_is_of_the_right_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "cassandra"
    program.touch(mode=0o755)
    library = tmp_path / "lib"
    library.mkdir()
    (library / "apache-cassandra-4.1.9.jar").touch()
    assert jars_of(tmp_path) == []
    (library / "apache-cassandra-5.0.9.jar").touch()
    (library / "jamm-0.4.0.jar").touch()
    monkeypatch.delenv("CASSANDRA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert {jar.name for jar in get_cassandra()} >= {"apache-cassandra-5.0.9.jar", "jamm-0.4.0.jar"}


def test_every_jar_is_locked_by_its_hash() -> None:
    lines = LOCK.read_text().splitlines()
    assert any(line.startswith("org.apache.cassandra:cassandra-all:5.") for line in lines)
    for line in lines:
        name, sha256 = line.split()
        assert name.count(":") in (2, 3)
        assert len(bytes.fromhex(sha256)) == 32


def test_a_repository_without_the_jars_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text(f"org.example:nothing:1.0 {'0' * 64}\n")
    (tmp_path / "repository").mkdir()
    monkeypatch.setenv("MAVEN_REPOSITORY", (tmp_path / "repository").as_uri())
    with pytest.raises(JarsMissing, match="MAVEN_REPOSITORY"):
        get_jars(lock, tmp_path / "jars")
    assert not (tmp_path / "jars").exists()


def test_a_jar_that_is_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "repository" / "org" / "example" / "thing" / "1.0"
    place.mkdir(parents=True)
    (place / "thing-1.0.jar").write_bytes(b"changed")
    (place / "thing-1.0.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>thing</artifactId>"
        "<version>1.0</version></project>"
    )
    lock = tmp_path / "some.lock"
    lock.write_text(f"org.example:thing:1.0 {'0' * 64}\n")
    monkeypatch.setenv("MAVEN_REPOSITORY", (tmp_path / "repository").as_uri())
    with pytest.raises(JarsMissing, match="another file"):
        get_jars(lock, tmp_path / "jars")
