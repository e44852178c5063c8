"""Pipeline: whether every row is accounted for, what is bad, and how the runs of the batch job went."""

from app.dashboards.grafana.layout import Dashboard, Section
from app.dashboards.grafana.panels import (
    COUNT,
    GREEN,
    ORANGE,
    RED,
    SECONDS,
    bar_chart,
    number,
    rows,
    time_series,
)
from app.dashboards.grafana.sources import MYSQL, mysql

UID = "shop-pipeline"
_LATEST = "(SELECT MAX(run) FROM runs)"
_BALANCE = "`read` - `stored` - duplicates - bad"


def dashboard() -> Dashboard:
    """Build it."""
    return Dashboard(
        uid=UID,
        title="Pipeline",
        description="Ledgers, bad events by reason, runs of the batch job and their rates.",
        sources=(MYSQL,),
        variables=(),
        sections=(_ledger(), _bad(), _runs()),
    )


def _ledger() -> Section:
    counts = ("read", "stored", "duplicates", "bad")
    meanings = {
        "read": "Rows in the files of the latest run.",
        "stored": "Distinct events that the latest run stored.",
        "duplicates": "Rows of the latest run that equal a stored event.",
        "bad": "Rows of the latest run that are no events; each is kept with its reason.",
    }
    return Section(
        "The latest run's ledger",
        5,
        (
            *(
                (
                    4,
                    number(
                        name.capitalize(),
                        meanings[name],
                        mysql(f"SELECT `{name}` FROM ledger WHERE run = {_LATEST}"),
                        COUNT,
                        steps=((0, GREEN), (1, ORANGE)) if name == "bad" else (),
                    ),
                )
                for name in counts
            ),
            (
                4,
                number(
                    "Unaccounted rows",
                    "read - stored - duplicates - bad of the latest run. Anything but 0 is an error of the pipeline.",
                    mysql(f"SELECT {_BALANCE} AS unaccounted FROM ledger WHERE run = {_LATEST}"),
                    COUNT,
                    steps=((0, GREEN), (1, RED)),
                ),
            ),
            (
                4,
                number(
                    "Rate",
                    "Rows read by second of the latest run, from its begin to its end.",
                    mysql(f"SELECT rows_per_second FROM runs WHERE run = {_LATEST}"),
                    "rowsps",
                ),
            ),
        ),
    )


def _bad() -> Section:
    return Section(
        "Bad events",
        9,
        (
            (
                8,
                bar_chart(
                    "Bad events by reason",
                    "Rows of the latest run that are no events, by why.",
                    mysql(
                        f"SELECT reason, SUM(events) AS bad FROM bad_event_counts WHERE run = {_LATEST}\n"
                        "GROUP BY reason ORDER BY bad DESC, reason"
                    ),
                    COUNT,
                    "reason",
                ),
            ),
            (
                16,
                rows(
                    "Examples of bad events",
                    "The first 100 of each reason of the latest run, as they were received.",
                    # What is no UTF-8 is nothing to MySQL, and has a question mark for each bad byte in MariaDB.
                    mysql(
                        "SELECT reason, field, source, source_row AS `row`, bytes,\n"
                        "  COALESCE(CONVERT(raw USING utf8mb4), CONVERT(raw USING latin1)) AS received\n"
                        "FROM bad_events ORDER BY reason, number"
                    ),
                    {"row": "none", "bytes": "bytes"},
                ),
            ),
        ),
    )


def _runs() -> Section:
    return Section(
        "Runs",
        9,
        (
            (
                12,
                time_series(
                    "Rate of runs",
                    "Rows read by second of each run that began in the time range, and how long it took.",
                    mysql(
                        "SELECT started_at AS time, rows_per_second AS `rows a second`, seconds FROM runs\n"
                        "WHERE $__timeFilter(started_at) ORDER BY started_at",
                        time_series=True,
                    ),
                    "rowsps",
                    interval="1m",
                    points=("rows a second", "seconds"),
                    right={"seconds": SECONDS},
                ),
            ),
            (
                12,
                bar_chart(
                    "Loading of the latest run",
                    "How long each table of MySQL took, what Spark did for it included.",
                    mysql(
                        f"SELECT table_name AS `table`, seconds FROM loads WHERE run = {_LATEST}\n"
                        "ORDER BY seconds DESC, table_name LIMIT 15"
                    ),
                    SECONDS,
                    "table",
                ),
            ),
            (
                24,
                rows(
                    "The last 50 runs",
                    "Each run with its ledger, its rate and the stores that it did not load, whatever the time range.",
                    mysql(
                        "SELECT started_at AS started, runs.run, seconds, rows_per_second AS rate, `read`, `stored`,\n"
                        f"  duplicates, bad, {_BALANCE} AS unaccounted,\n"
                        "  (SELECT GROUP_CONCAT(store ORDER BY store SEPARATOR ', ') FROM not_loaded\n"
                        "   WHERE not_loaded.run = runs.run) AS `not loaded`\n"
                        "FROM runs JOIN ledger ON ledger.run = runs.run ORDER BY runs.run DESC LIMIT 50"
                    ),
                    {"started": "dateTimeAsIso", "seconds": SECONDS, "rate": "rowsps"},
                    default_unit="none",
                    heat={"unaccounted": ((0, GREEN), (1, RED)), "bad": ((0, GREEN), (1, ORANGE))},
                ),
            ),
            (
                12,
                rows(
                    "Files of the latest run",
                    "What became of the rows of each file.",
                    mysql(
                        "SELECT path, size, `rows`, events, duplicates, bad FROM sources\n"
                        f"WHERE run = {_LATEST} ORDER BY number"
                    ),
                    {"size": "bytes"},
                    default_unit="none",
                ),
            ),
            (
                12,
                rows(
                    "Stores that were not loaded",
                    "Stores that do not hold a run, and why. The time range does not apply.",
                    mysql("SELECT run, store, error FROM not_loaded ORDER BY run DESC, store LIMIT 100"),
                    {},
                ),
            ),
        ),
    )
