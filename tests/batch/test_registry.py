import sys
from pathlib import Path

import pytest

from app.batch.errors import SettingsError
from app.batch.settings import SERVER_STORES, Settings
from app.batch.stores.registry import STORES, make_stores
from app.local.store_reads import READS
from tests.batch.held import HOLDS, IS_LOADING

SETTINGS = Settings(events=("events.csv",), out=Path("out"))
SERVERS = {"mysql": "pymysql", "redis": "redis", "cassandra": "cassandra"}


def test_each_store_in_a_server_has_what_tests_and_the_demo_need() -> None:
    for has in (SERVERS, HOLDS, IS_LOADING, READS):
        assert set(has) == set(SERVER_STORES)


def test_a_fault_of_our_own_is_not_taken_for_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.startswith("app.batch.stores.redis")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "app.batch.stores.variables", None)
    with pytest.raises(ModuleNotFoundError):
        make_stores(SETTINGS, ["redis"])


def test_the_settings_name_every_store_that_there_is() -> None:
    assert list(STORES) == list(Settings(events=("-",), out=Path(), stores=tuple(STORES)).stores)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SERVERS)
def test_a_store_without_an_address_is_told_with_the_variable_to_set(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("MYSQL_HOST", "REDIS_URL", "REDIS_HOST", "CASSANDRA_HOSTS"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsError, match=f"{name.upper()}_[A-Z]+"):
        make_stores(SETTINGS, [name])


@pytest.mark.parametrize(("name", "package"), SERVERS.items())
def test_a_missing_package_is_told_with_how_to_install_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.startswith(f"app.batch.stores.{name}")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=f"{name} needs the package {package}.*pip install"):
        make_stores(SETTINGS, [name])


def test_all_missing_addresses_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MYSQL_HOST", "REDIS_URL", "REDIS_HOST"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsError, match=r"(?s)MYSQL.*REDIS"):
        make_stores(SETTINGS, ["mysql", "redis"])
