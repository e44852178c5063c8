"""The settings of the MySQL store, from the environment."""

from pathlib import Path

import pytest

from app.batch.errors import SettingsError
from app.batch.stores.mysql import MysqlSettings
from app.batch.stores.mysql.grants import INIT_CONNECT

LEAST = {"MYSQL_HOST": "db", "MYSQL_PASSWORD": "secret"}

ROOT = Path(__file__).resolve().parents[3]


def test_host_and_password_are_enough() -> None:
    settings = MysqlSettings.from_environment(LEAST)
    assert (settings.address, settings.user, settings.database, settings.staging) == (
        "db:3306",
        "loader",
        "shop",
        "shop_staging",
    )


def test_the_password_may_be_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret \n")
    settings = MysqlSettings.from_environment(
        {"MYSQL_HOST": "db", "MYSQL_PASSWORD_FILE": str(tmp_path / "password"), "MYSQL_PORT": "3307"}
    )
    assert settings.password == "s3cret "
    assert settings.port == 3307
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MYSQL_HOST": ""}, "MYSQL_HOST: set it"),
        ({"MYSQL_PASSWORD": None}, "MYSQL_PASSWORD: set it, or MYSQL_PASSWORD_FILE"),
        ({"MYSQL_PASSWORD": None, "MYSQL_PASSWORD_FILE": "/not/there"}, "/not/there cannot be read"),
        ({"MYSQL_PORT": "x"}, "MYSQL_PORT: 'x' is no whole number"),
        ({"MYSQL_PORT": "70000"}, "MYSQL_PORT: 70000 is not in 1 to 65535"),
        ({"MYSQL_DATABASE": "x" * 60}, "must have 1 to 56 characters"),
        ({"MYSQL_TLS_CA": "/not/there"}, "MYSQL_TLS_CA: there is no file /not/there"),
        ({"MYSQL_TIMEOUT_SECONDS": "0", "MYSQL_RETRY_SECONDS": "90000"}, "MYSQL_TIMEOUT_SECONDS: 0 .*; MYSQL_RETRY"),
    ],
)
def test_what_is_not_allowed_is_named(given: dict[str, str | None], said: str) -> None:
    environment = {name: value for name, value in (LEAST | given).items() if value is not None}
    with pytest.raises(SettingsError, match=said):
        MysqlSettings.from_environment(environment)


def test_the_documents_have_what_a_server_runs_for_each_connection() -> None:
    assert f'init_connect = "{INIT_CONNECT}"' in (ROOT / "docs" / "stores.md").read_text()
