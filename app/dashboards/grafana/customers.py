"""Customers: who buys, who comes back, where carts are left, and what one user did."""

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableHide, VariableRefresh

from app.batch.stores.user_buckets import USER_BUCKETS
from app.dashboards.grafana.layout import Dashboard, Section
from app.dashboards.grafana.panels import (
    BLUE,
    COUNT,
    GREEN,
    MONEY,
    SECONDS,
    SHARE,
    SKY,
    Link,
    bar_chart,
    rows,
    time_series,
    transformation,
)
from app.dashboards.grafana.sources import CASSANDRA, KEYSPACE, MYSQL, cassandra, mysql

UID = "shop-customers"
_WHOLE = "Of all events that are loaded; the time range does not apply."
_VISITS = f"""
    SELECT user_id, started, visit.ended AS ended, visit.event_count AS event_count, visit.purchases AS purchases,
      CAST(visit.revenue AS double) AS revenue, visit.user_session AS user_session, visit.steps AS steps
    FROM {KEYSPACE}.visits_${{slot}}
    WHERE user_bucket = ${{user}} % {USER_BUCKETS} AND month IN (${{months:csv}}) AND user_id = ${{user}}
      AND started >= $__timeFrom AND started <= $__timeTo
"""
_SHOW_PATH = Link("Show the path", f"/d/{UID}?var-user=${{__value.raw}}&${{__url_time_range}}")
_RETENTION = ((0.0001, SKY), (0.1, BLUE), (0.5, GREEN))


def dashboard() -> Dashboard:
    """Build it."""
    return Dashboard(
        uid=UID,
        title="Customers",
        description="Buyers by recency, frequency and money, cohorts, sessions, abandoned carts, and one user's path.",
        sources=(MYSQL, CASSANDRA),
        variables=(_user(), _months(), _slot()),
        sections=(_buyers(), _sessions(), _path()),
    )


def _user() -> QueryVariable:
    # Where there are none, 0 is chosen, whose path is empty; a query needs some value.
    sql = "(SELECT DISTINCT user_id FROM bot_sessions ORDER BY user_id LIMIT 500) UNION ALL SELECT 0"
    return (
        QueryVariable("user")
        .label("User")
        .description("A user's id. The list has those of sessions that look like bots; type any other.")
        .datasource(MYSQL.ref)
        .query(sql)
        .definition(sql)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(False)
        .include_all(False)
        .allow_custom_value(True)
    )


def _months() -> QueryVariable:
    """The months of the time range that have events: partitions of Cassandra hold a month."""
    sql = "SELECT DISTINCT DATE_FORMAT(time, '%Y%m') FROM activity WHERE $__timeFilter(time) ORDER BY 1"
    return (
        QueryVariable("months")
        .label("Months")
        .description("The months in the time range that have events.")
        .datasource(MYSQL.ref)
        .query(sql)
        .definition(sql)
        .hide(VariableHide.HIDE_VARIABLE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
    )


def _slot() -> QueryVariable:
    """The slot of Cassandra's tables that holds the run that is shown."""
    cql = f"SELECT slot FROM {KEYSPACE}.state WHERE name = 'shop'"
    return (
        QueryVariable("slot")
        .label("Slot")
        .description("The half of Cassandra's tables that readers see; a load fills the other.")
        .datasource(CASSANDRA.ref)
        .query({"query": cql, "rawQuery": cql})  # versions of the plugin differ in the name
        .definition(cql)
        .hide(VariableHide.HIDE_VARIABLE)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(False)
        .include_all(False)
    )


def _buyers() -> Section:
    return Section(
        "Buyers and cohorts",
        11,
        (
            (
                7,
                bar_chart(
                    "Segments of buyers",
                    f"Buyers by segment of recency, frequency and money, and their revenue. {_WHOLE}",
                    mysql(
                        "SELECT segment, SUM(users) AS users, SUM(revenue) AS revenue FROM rfm_segments\n"
                        "GROUP BY segment ORDER BY revenue DESC, segment"
                    ),
                    COUNT,
                    "segment",
                    units={"revenue": MONEY},
                ),
            ),
            (
                7,
                rows(
                    "Buyers by recency and frequency",
                    "Buyers with each pair of scores, 5 being best: rows are recency (how lately they bought), columns "
                    f"frequency (how often). {_WHOLE}",
                    mysql(
                        "SELECT recency_score AS recency, frequency_score AS frequency, SUM(users) AS users\n"
                        "FROM rfm_segments GROUP BY 1, 2 ORDER BY 1 DESC, 2"
                    ),
                    {},
                    default_unit=COUNT,
                    transformations=(
                        transformation(
                            "groupingToMatrix", rowField="recency", columnField="frequency", valueField="users"
                        ),
                    ),
                ),
            ),
            (
                10,
                rows(
                    "Cohorts by week",
                    "Of the visitors who came first in a week (rows), the share that is active so many weeks later "
                    f"(columns). {_WHOLE}",
                    mysql(
                        "SELECT DATE_FORMAT(cohort_week, '%Y-%m-%d') AS week, weeks_later AS later, retention\n"
                        "FROM weekly_retention WHERE weeks_later <= 12 ORDER BY cohort_week, weeks_later"
                    ),
                    {},
                    default_unit=SHARE,
                    default_heat=_RETENTION,
                    transformations=(
                        transformation(
                            "groupingToMatrix", rowField="week", columnField="later", valueField="retention"
                        ),
                    ),
                ),
            ),
        ),
    )


def _sessions() -> Section:
    return Section(
        "Sessions and carts",
        9,
        (
            (
                8,
                time_series(
                    "Sessions",
                    "Sessions that began on each day, and the share that ended after one event.",
                    mysql(
                        "SELECT CAST(event_date AS DATETIME) AS time, sessions, bounce_rate AS `bounce rate`\n"
                        "FROM session_facts WHERE $__timeFilter(event_date) ORDER BY event_date",
                        time_series=True,
                    ),
                    COUNT,
                    bars=True,
                    interval="1d",
                    right={"bounce rate": SHARE},
                ),
            ),
            (
                8,
                time_series(
                    "Length of sessions",
                    "Mean time from first to last event, and mean number of events, by day.",
                    mysql(
                        "SELECT CAST(event_date AS DATETIME) AS time, mean_seconds AS length,\n"
                        "  events_per_session AS events\n"
                        "FROM session_facts WHERE $__timeFilter(event_date) ORDER BY event_date",
                        time_series=True,
                    ),
                    SECONDS,
                    interval="1d",
                    right={"events": "none"},
                ),
            ),
            (
                8,
                time_series(
                    "Abandoned carts",
                    "The value of what was left in carts, and the share of carts that were left, by day.",
                    mysql(
                        "SELECT CAST(event_date AS DATETIME) AS time, abandoned_value AS value,\n"
                        "  abandoned_rate AS `share of carts`\n"
                        "FROM abandoned_carts WHERE $__timeFilter(event_date) ORDER BY event_date",
                        time_series=True,
                    ),
                    MONEY,
                    bars=True,
                    interval="1d",
                    right={"share of carts": SHARE},
                ),
            ),
            (
                24,
                rows(
                    "Sessions that look like bots",
                    "The 100 longest of them. A click on the user shows the path below.",
                    mysql(
                        "SELECT session_start AS start, user_id AS user, session_key AS session, events, seconds,\n"
                        "  events_per_minute AS `events a minute`, products, reason FROM bot_sessions\n"
                        "WHERE $__timeFilter(session_start) ORDER BY events DESC, seconds, session_key LIMIT 100"
                    ),
                    {"start": "dateTimeAsIso", "events": COUNT, "seconds": SECONDS, "events a minute": "none"},
                    links={"user": _SHOW_PATH},
                ),
            ),
        ),
    )


def _path() -> Section:
    return Section(
        "One user",
        10,
        (
            (
                24,
                rows(
                    "Path of user $user, from Cassandra",
                    "The user's visits that began in the time range, newest first, with what was done in each.",
                    cassandra(_VISITS),
                    {"started": "dateTimeAsIso", "ended": "dateTimeAsIso", "event_count": COUNT, "revenue": MONEY},
                    sort_by="started",
                ),
            ),
        ),
    )
