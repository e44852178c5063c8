"""Store overview: what happens in the store, when, and what comes of it."""

from app.dashboards.grafana.layout import Dashboard, Section
from app.dashboards.grafana.panels import (
    COUNT,
    GREEN,
    MONEY,
    ORANGE,
    RED,
    SHARE,
    Link,
    bar_chart,
    bars,
    number,
    rows,
    shares,
    time_series,
    transformation,
)
from app.dashboards.grafana.sources import MYSQL, REDIS, mysql, redis_hash
from app.dashboards.grafana.variables import FILTERED, FILTERED_ALL_TYPES, brand, category, event_type

UID = "shop-overview"
_WHOLE = "Of all events that are loaded; time range and filters do not apply."
_SHOW_LOADED = Link(
    "Show the whole time that is loaded", f"/d/{UID}?from=${{__data.fields.from_ms}}&to=${{__data.fields.to_ms}}"
)


def dashboard() -> Dashboard:
    """Build it."""
    return Dashboard(
        uid=UID,
        title="Store overview",
        description="Events and revenue over time, what visitors do, who is here now, and the funnel.",
        sources=(MYSQL, REDIS),
        variables=(category(), brand(), event_type()),
        sections=(_numbers(), _over_time(), _kinds()),
    )


def _numbers() -> Section:
    return Section(
        "At a glance",
        5,
        (
            (
                4,
                number(
                    "Events",
                    "Distinct events in the time range that pass the filters.",
                    mysql(f"SELECT COALESCE(SUM(events), 0) AS events FROM activity WHERE {FILTERED}"),
                    COUNT,
                ),
            ),
            (
                4,
                number(
                    "Revenue",
                    "The sum of the prices of purchases in the time range, in the store's currency.",
                    mysql(
                        "SELECT COALESCE(SUM(price_sum), 0) AS revenue FROM activity\n"
                        f"WHERE {FILTERED_ALL_TYPES} AND event_type = 'purchase'"
                    ),
                    MONEY,
                ),
            ),
            (
                4,
                number(
                    "Visitors now",
                    "Sessions that were active in the last 5 minutes of the time range in which there were any.",
                    mysql("SELECT sessions FROM visitors WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 1"),
                    COUNT,
                ),
            ),
            (
                4,
                number(
                    "Sessions that buy",
                    f"Sessions with a purchase / all sessions. {_WHOLE}",
                    mysql("SELECT purchase_rate FROM session_funnel"),
                    SHARE,
                    steps=((0, RED), (0.02, ORANGE), (0.05, GREEN)),
                    decimals=1,
                ),
            ),
            (
                8,
                rows(
                    "What is loaded",
                    "The hours of the first and the last event that are loaded. The link shows them on this dashboard.",
                    mysql(
                        "SELECT first_event AS `first event`, last_event AS `last event`, started_at AS `loaded at`,\n"
                        "  UNIX_TIMESTAMP(first_event) * 1000 AS from_ms,\n"
                        "  (UNIX_TIMESTAMP(last_event) + 3600) * 1000 AS to_ms\n"
                        "FROM runs ORDER BY run DESC LIMIT 1"
                    ),
                    dict.fromkeys(("first event", "last event", "loaded at"), "dateTimeAsIso"),
                    hidden=("from_ms", "to_ms"),
                    links={"first event": _SHOW_LOADED, "last event": _SHOW_LOADED},
                ),
            ),
        ),
    )


def _over_time() -> Section:
    return Section(
        "Over time",
        9,
        (
            (
                12,
                time_series(
                    "Events by type",
                    "Distinct events that pass the filters, by what visitors do.",
                    mysql(
                        "SELECT $__timeGroupAlias(time, $__interval), event_type AS metric, SUM(events) AS events\n"
                        f"FROM activity WHERE {FILTERED} GROUP BY 1, 2 ORDER BY 1, 2",
                        time_series=True,
                    ),
                    COUNT,
                    stacked=True,
                ),
            ),
            (
                12,
                time_series(
                    "Revenue",
                    "The sum of the prices of purchases, in the store's currency, by category and brand as filtered.",
                    mysql(
                        "SELECT $__timeGroupAlias(time, $__interval), SUM(price_sum) AS revenue FROM activity\n"
                        f"WHERE {FILTERED_ALL_TYPES} AND event_type = 'purchase' GROUP BY 1 ORDER BY 1",
                        time_series=True,
                    ),
                    MONEY,
                    bars=True,
                ),
            ),
            (
                12,
                time_series(
                    "Visitors",
                    "Sessions that were active, and those that began, at most at one time in each interval.",
                    mysql(
                        "SELECT $__timeGroupAlias(time, $__interval), MAX(sessions) AS sessions,\n"
                        "  MAX(started) AS started FROM visitors WHERE $__timeFilter(time) GROUP BY 1 ORDER BY 1",
                        time_series=True,
                    ),
                    COUNT,
                    interval="5m",
                ),
            ),
            (
                12,
                time_series(
                    "Revenue by day, and days out of line",
                    "Revenue, its mean of the 7 days before, and days more than 2 standard deviations away from it.",
                    mysql(
                        "SELECT CAST(event_date AS DATETIME) AS time, revenue, mean_7d AS `mean of 7 days`,\n"
                        "  CASE WHEN is_anomaly THEN revenue END AS `out of line`\n"
                        "FROM daily_revenue WHERE $__timeFilter(event_date) ORDER BY event_date",
                        time_series=True,
                    ),
                    MONEY,
                    interval="1d",
                    points=("out of line",),
                ),
            ),
        ),
    )


def _kinds() -> Section:
    return Section(
        "What visitors do",
        10,
        (
            (
                6,
                shares(
                    "Event types",
                    "Distinct events in the time range that pass the filters, by what visitors do.",
                    mysql(
                        f"SELECT event_type, SUM(events) AS events FROM activity WHERE {FILTERED}\n"
                        "GROUP BY event_type ORDER BY events DESC"
                    ),
                    COUNT,
                ),
            ),
            (
                6,
                bars(
                    "Funnel by session",
                    f"Sessions with at least one of each; purchases without a cart are counted by themselves. {_WHOLE}",
                    mysql(
                        "SELECT sessions AS `all sessions`, sessions_with_view AS `with a view`,\n"
                        "  sessions_with_cart AS `with a cart`, sessions_with_purchase AS `with a purchase`,\n"
                        "  purchases_without_cart AS `purchase without a cart` FROM session_funnel"
                    ),
                    COUNT,
                ),
            ),
            (
                6,
                bar_chart(
                    "Hours of the day",
                    f"Events by hour of the day (UTC) and type. {_WHOLE}",
                    mysql(
                        "SELECT LPAD(hour, 2, '0') AS hour, SUM(IF(event_type = 'view', events, 0)) AS `view`,\n"
                        "  SUM(IF(event_type = 'cart', events, 0)) AS cart,\n"
                        "  SUM(IF(event_type = 'purchase', events, 0)) AS purchase\n"
                        "FROM hourly_activity GROUP BY hour ORDER BY hour"
                    ),
                    COUNT,
                    "hour",
                    stacked=True,
                ),
            ),
            (
                6,
                bars(
                    "Events of each day, from Redis",
                    "The counters by day, as an application reads them. All days that are loaded.",
                    redis_hash("days"),
                    COUNT,
                    (
                        transformation("sortBy", sort=[{"field": "Field"}]),
                        transformation(
                            "convertFieldType",
                            conversions=[{"targetField": "Value", "destinationType": "number"}],
                        ),
                        transformation(
                            "rowsToFields",
                            mappings=[
                                {"fieldName": "Field", "handlerKey": "field.name"},
                                {"fieldName": "Value", "handlerKey": "field.value"},
                            ],
                        ),
                    ),
                ),
            ),
        ),
    )
