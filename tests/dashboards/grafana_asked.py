"""What Grafana asks a store: a panel's query with variables and macros filled in as its plugins fill them.

Sources: variables as in Grafana's `formatRegistry` (custom "all" values go in as they are); macros as in the MySQL
plugin's `macros.go`, with its regular expression, which knows no nested parentheses; `$__timeFrom` in CQL as in the
Cassandra plugin, milliseconds since 1970.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.dashboards.grafana import provisioning
from app.dashboards.grafana.layout import Period

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
_MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ALL = "$__all"

FORMATS: dict[str, Callable[[Sequence[str]], str]] = {
    "sqlstring": lambda values: ",".join("'" + value.replace("'", "''") + "'" for value in values),
    "singlequote": lambda values: ",".join("'" + value.replace("'", "\\'") + "'" for value in values),
    "csv": ",".join,
    "raw": ",".join,
}


def dashboards(period: Period | None = None) -> dict[str, dict[str, Any]]:
    """All dashboards as Grafana reads them, by uid."""
    files = provisioning(period=period) if period else provisioning()
    found = (json.loads(text) for name, text in files.items() if name.startswith("dashboards/"))
    return {dashboard["uid"]: dashboard for dashboard in found}


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A dashboard's panels without the titles of its sections."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def variables(dashboard: Mapping[str, Any], kind: str = "query") -> list[dict[str, Any]]:
    return [variable for variable in dashboard["templating"]["list"] if variable["type"] == kind]


@dataclass(frozen=True)
class Asked:
    """Fills queries in: the time range, the interval, and the values of each variable."""

    first: datetime
    last: datetime
    chosen: Mapping[str, Sequence[str]]
    options: Mapping[str, Sequence[str]]
    all_values: Mapping[str, str]
    interval: str = "1h"

    def sql(self, text: str) -> str:
        """A query for MySQL."""
        return _MACRO.sub(self._macro, self.filled(text).replace("$__interval", self.interval))

    def cql(self, text: str) -> str:
        """A query for Cassandra."""
        for name, moment in (("$__timeFrom", self.first), ("$__timeTo", self.last)):
            text = text.replace(name, str(int(moment.timestamp() * 1_000)))
        return self.filled(text)

    def filled(self, text: str) -> str:
        """Variables filled in; those of Grafana's own, and of data sources, stay."""
        return _VARIABLE.sub(self._variable, text)

    def _variable(self, found: re.Match[str]) -> str:
        name, form = found[1] or found[2], found[3] or "raw"
        if name not in self.chosen:
            assert name.startswith("__"), f"there is no variable {name}"
            return found[0]
        values = self.chosen[name]
        if list(values) == [_ALL]:
            if self.all_values.get(name):
                return self.all_values[name]
            values = self.options[name]
        return FORMATS[form](values)

    def _macro(self, found: re.Match[str]) -> str:
        name, arguments = found[1], [part.strip() for part in found[2].split(",")]
        first, last = (int(moment.timestamp()) for moment in (self.first, self.last))
        if name == "__timeFilter":
            return f"{arguments[0]} BETWEEN FROM_UNIXTIME({first}) AND FROM_UNIXTIME({last})"
        if name in ("__timeGroup", "__timeGroupAlias"):
            amount, unit = re.fullmatch(r"(\d+)(\w)", arguments[1].strip("'")).groups()  # type: ignore[union-attr]
            seconds = int(amount) * _SECONDS[unit]
            group = f"UNIX_TIMESTAMP({arguments[0]}) DIV {seconds} * {seconds}"
            return group if name == "__timeGroup" else f'{group} AS "time"'
        raise AssertionError(f"a macro that MySQL's plugin does not have: {name}")
