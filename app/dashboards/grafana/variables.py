"""The variables of the dashboards, and how SQL filters by them."""

from typing import Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh

from app.dashboards.grafana.sources import MYSQL, Source

ALL: Final = "(all)"
"""Stands for every value, also for those beyond the list of a variable."""

BRANDS: Final = 500
"""Brands in the list, most events first; others can be typed."""


def one_of(column: str, variable: str) -> str:
    """The condition that a column has one of a variable's values."""
    values = f"${{{variable}:sqlstring}}"
    return f"('{ALL}' IN ({values}) OR {column} IN ({values}))"


FILTERED: Final = "\n  AND ".join(
    ["$__timeFilter(time)", one_of("department", "category"), one_of("brand", "brand"), one_of("event_type", "event")]
)
"""The condition on rows of `activity` by the time range and all three variables."""

FILTERED_ALL_TYPES: Final = "\n  AND ".join(
    ["$__timeFilter(time)", one_of("department", "category"), one_of("brand", "brand")]
)
"""The same for what compares event types."""


def chooses(source: Source) -> DatasourceVariable:
    """Which data source of a plugin the panels ask; the provisioned one unless another is chosen."""
    return (
        DatasourceVariable(source.variable)
        .label(f"{source.name} data source")
        .description(f"Where panels read what is in {source.name}.")
        .type(source.plugin)
        .multi(False)
        .current(VariableOption(selected=True, text=source.name, value=source.uid))
    )


def category() -> QueryVariable:
    """First levels of the category."""
    return _several(
        "category",
        "Category",
        "First level of the category; uncategorised where there is none.",
        "SELECT department FROM activity GROUP BY department ORDER BY SUM(events) DESC, department",
    )


def brand() -> QueryVariable:
    """Brands."""
    return _several(
        "brand",
        "Brand",
        f"The {BRANDS} brands with most events; type the name of another. unbranded where there is none.",
        f"SELECT brand FROM brands ORDER BY events DESC, brand LIMIT {BRANDS}",
    )


def event_type() -> QueryVariable:
    """Event types."""
    return _several(
        "event",
        "Event type",
        "What visitors do.",
        "SELECT event_type FROM event_types ORDER BY events DESC, event_type",
    )


def _several(name: str, label: str, description: str, sql: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(MYSQL.ref)
        .query(sql)
        .definition(sql)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(f"'{ALL}'")
        .allow_custom_value(True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
