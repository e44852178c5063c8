"""The stores by name, each made from the settings and its environment variables; imported where it is asked for."""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.batch.errors import SettingsError
from app.batch.settings import Settings
from app.batch.stores import Store


def _embedded(settings: Settings) -> Store:
    from app.batch.stores.embedded import EmbeddedStore

    return EmbeddedStore(settings.out or Path())


def _server(name: str, store: str) -> Callable[[Settings], Store]:
    """A store in a module of its own, made by its `from_environment`."""

    def make(_: Settings) -> Store:
        try:
            found: Store = getattr(import_module(f"app.batch.stores.{name}"), store).from_environment()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "app":
                raise
            raise SettingsError(
                f"stores: {name} needs the package {error.name}; install the extra: pip install '.[batch]'"
            ) from error
        return found

    return make


STORES: Final[Mapping[str, Callable[[Settings], Store]]] = MappingProxyType(
    {
        "embedded": _embedded,
        "mysql": _server("mysql", "MysqlStore"),
        "redis": _server("redis", "RedisStore"),
        "cassandra": _server("cassandra", "CassandraStore"),
    }
)


def make_stores(settings: Settings, names: Collection[str]) -> dict[str, Store]:
    """The stores of these names, in their order; none is connected to yet.

    Raises:
        SettingsError: a package, an address or a secret is missing; all faults are in one message.
    """
    stores: dict[str, Store] = {}
    faults = []
    for name in names:
        try:
            stores[name] = STORES[name](settings)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("; ".join(faults))
    return stores
