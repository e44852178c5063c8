"""The settings of the Cassandra store."""

from pathlib import Path

import pytest

from app.batch.errors import SettingsError
from app.batch.stores.cassandra import CassandraSettings


def read(**variables: str) -> CassandraSettings:
    return CassandraSettings.from_environment({f"CASSANDRA_{name}": value for name, value in variables.items()})


def test_hosts_are_enough() -> None:
    settings = read(HOSTS="one, two")
    assert (settings.hosts, settings.port, settings.keyspace) == (("one", "two"), 9042, "shop")
    assert settings.tls_context() is None


def test_everything_comes_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("pass word\n")
    settings = read(
        HOSTS="one",
        PORT="9142",
        USER="loader",
        PASSWORD_FILE=str(secret),
        KEYSPACE="other",
        REPLICATION="3",
        CONSISTENCY="QUORUM",
        TTL_DAYS="90",
        TLS="true",
        LOCK_SECONDS="60",
    )
    assert (settings.port, settings.user, settings.password) == (9142, "loader", "pass word")
    assert (settings.keyspace, settings.replication, settings.ttl_days) == ("other", 3, 90)
    assert settings.tls_context() is not None


def test_a_password_is_never_shown() -> None:
    assert "geheim" not in repr(read(HOSTS="one", USER="loader", PASSWORD="geheim"))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "CASSANDRA_HOSTS"),
        ({"HOSTS": "one:9042 "}, "CASSANDRA_PORT"),
        ({"HOSTS": "one", "PORT": "x"}, "CASSANDRA_PORT"),
        ({"HOSTS": "one", "PORT": "70000"}, "CASSANDRA_PORT"),
        ({"HOSTS": "one", "PASSWORD": "secret"}, "CASSANDRA_USER"),
        ({"HOSTS": "one", "PASSWORD_FILE": "/does/not/exist"}, "CASSANDRA_PASSWORD_FILE"),
        ({"HOSTS": "one", "KEYSPACE": "My-Shop"}, "CASSANDRA_KEYSPACE"),
        ({"HOSTS": "one", "CONSISTENCY": "SOME"}, "CASSANDRA_CONSISTENCY"),
        ({"HOSTS": "one", "TLS": "perhaps"}, "CASSANDRA_TLS"),
        ({"HOSTS": "one", "TLS": "true", "TLS_CA": "/does/not/exist"}, "CASSANDRA_TLS_CA"),
        ({"HOSTS": "one", "TTL_DAYS": "-1"}, "CASSANDRA_TTL_DAYS"),
        ({"HOSTS": "one", "BATCH_KIB": "9999"}, "CASSANDRA_BATCH_KIB"),
    ],
)
def test_what_is_not_allowed_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        read(**variables)
    assert "secret" not in str(caught.value)
