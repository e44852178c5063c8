"""The sheets of what happens in the store."""

from typing import Final

from app.dashboards.tableau.sheet import Sheet, Sort, day, dimension, measure

DAILY_EVENTS: Final = Sheet(
    "Daily events",
    "daily_activity",
    "Line",
    rows=(measure("events"),),
    columns=(day("event_date"),),
    color=dimension("event_type"),
    tooltip=(measure("users"), measure("sessions"), measure("revenue")),
)
EVENTS_BY_HOUR: Final = Sheet(
    "Prices by hour and event type",
    "hourly_activity",
    "Square",
    rows=(dimension("hour"),),
    columns=(dimension("event_type"),),
    color=measure("price_mean"),
    label=(measure("price_sum"),),
    tooltip=(measure("events"),),
    note="label: sum of prices, colour: mean price (store currency)",
)
EVENT_TYPES: Final = Sheet(
    "Event types",
    "event_types",
    "Bar",
    rows=(dimension("event_type"),),
    columns=(measure("events"),),
    color=dimension("event_type"),
    label=(measure("share"),),
    sorts=(Sort(dimension("event_type"), measure("events")),),
    note="label: share of all events",
)
MOST_VIEWED: Final = Sheet(
    "Most viewed sub-categories",
    "most_viewed_sub_categories",
    "Bar",
    rows=(dimension("rank"), dimension("sub_category"), dimension("department")),
    columns=(measure("views"),),
    label=(measure("views"),),
    tooltip=(measure("users"),),
)
VIEWS_BY_CATEGORY: Final = Sheet(
    "Views by category",
    "views_by_category",
    "Bar",
    rows=(dimension("department"),),
    columns=(measure("views"),),
    label=(measure("share"),),
    sorts=(Sort(dimension("department"), measure("views")),),
    note="label: share of all views",
)
REVENUE: Final = Sheet(
    "Revenue and anomalies",
    "daily_revenue",
    "Bar",
    rows=(measure("revenue"),),
    columns=(day("event_date"),),
    color=dimension("is_anomaly"),
    tooltip=(measure("purchases"), measure("deviation")),
    line=measure("mean_7d"),
    note="bars: revenue of the day, line: mean of the 7 days before (store currency)",
)
SHEETS: Final = (DAILY_EVENTS, EVENTS_BY_HOUR, EVENT_TYPES, MOST_VIEWED, VIEWS_BY_CATEGORY, REVENUE)
