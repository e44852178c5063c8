"""The files that Grafana reads: data sources at its start, dashboards whenever they change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from app.dashboards.grafana import catalogue, customers, pipeline, store_overview
from app.dashboards.grafana.layout import PUBLIC_DATA, Dashboard, Period
from app.dashboards.grafana.sources import CASSANDRA, KEYSPACE, MYSQL, REDIS, Source

DASHBOARDS: Final = (store_overview.dashboard, catalogue.dashboard, customers.dashboard, pipeline.dashboard)
DASHBOARD_FOLDER: Final = "dashboards"
_FOLDER: Final = "/etc/grafana"
_RELOAD_SECONDS: Final = 10


@dataclass(frozen=True)
class Stores:
    """Where Grafana finds the stores, `host:port`, and the user that it reads with.

    Passwords are never in the files: `passwords` is the folder in which Grafana finds one file for each store.
    """

    mysql: str = "mysql:3306"
    redis: str = "redis:6379"
    cassandra: str = "cassandra:9042"
    user: str = "grafana"
    database: str = KEYSPACE
    passwords: str = "/etc/shop"


def provisioning(stores: Stores | None = None, period: Period = PUBLIC_DATA) -> Mapping[str, str]:
    """Give each file's text by its path in /etc/grafana. The same arguments give the same texts."""
    files = {
        "provisioning/datasources/shop.yaml": _yaml({"apiVersion": 1, "prune": True, "datasources": _sources(stores)}),
        "provisioning/dashboards/shop.yaml": _yaml({"apiVersion": 1, "providers": [_provider()]}),
    }
    return files | dashboard_files(period)


def dashboard_files(period: Period) -> dict[str, str]:
    """Give the dashboards' texts alone, which Grafana takes over from changed files as it runs."""
    return {f"{DASHBOARD_FOLDER}/{dashboard.uid}.json": dashboard.json(period) for dashboard in dashboards()}


def dashboards() -> list[Dashboard]:
    """All dashboards."""
    return [build() for build in DASHBOARDS]


def _sources(stores: Stores | None) -> list[dict[str, Any]]:
    at = stores or Stores()
    return [
        {
            **_named(MYSQL),
            "isDefault": True,
            "url": at.mysql,
            "user": at.user,
            # The tables' times are in UTC, and so is what the macros compare them with.
            "jsonData": {"database": at.database, "timezone": "+00:00", "timeInterval": "5m"},
            "secureJsonData": {"password": _password(at, "mysql")},
        },
        {
            **_named(REDIS),
            "url": f"redis://{at.redis}",
            "jsonData": {"client": "standalone", "acl": True, "user": at.user},
            "secureJsonData": {"password": _password(at, "redis")},
        },
        {
            **_named(CASSANDRA),
            "url": at.cassandra,
            "jsonData": {"keyspace": at.database, "consistency": "ONE", "user": at.user},
            "secureJsonData": {"password": _password(at, "cassandra")},
        },
    ]


def _named(source: Source) -> dict[str, Any]:
    return {"name": source.name, "type": source.plugin, "uid": source.uid, "access": "proxy", "editable": False}


def _password(stores: Stores, store: str) -> str:
    return f"$__file{{{stores.passwords}/{store}}}"


def _provider() -> dict[str, Any]:
    return {
        "name": "shop",
        "folder": "Shop",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": _RELOAD_SECONDS,
        "options": {"path": f"{_FOLDER}/{DASHBOARD_FOLDER}"},
    }


def _yaml(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False))
