"""Sessions by 5 minutes, from the fact `sessions`."""

from typing import TYPE_CHECKING, Final

from app.analytics.sql import compile_fact
from app.batch.stores.mysql.tables import VISITORS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BUCKET_SECONDS: Final = 300
"""The width of a row of `visitors`."""

_EVENTS: Final = "mysql_events"
_SESSIONS: Final = "sessions"
_VISITORS: Final = f"""
    SELECT timestamp_seconds(bucket * {BUCKET_SECONDS}) AS time, count(*) AS sessions,
        count_if(bucket = first) AS started
    FROM (
        SELECT first, explode(sequence(first, last)) AS bucket FROM (
            SELECT unix_seconds(session_start) DIV {BUCKET_SECONDS} AS first,
                unix_seconds(session_end) DIV {BUCKET_SECONDS} AS last
            FROM {{sessions}}))
    GROUP BY bucket
"""  # noqa: S608 - our own names


def visitors(spark: "SparkSession", events: "DataFrame") -> "DataFrame":
    """The rows of the table `visitors`: of the run's own fact where it has made it, else of the events."""
    if spark.catalog.tableExists(_SESSIONS):
        sessions = spark.table(_SESSIONS)
    else:
        events.createOrReplaceTempView(_EVENTS)
        sessions = spark.sql(compile_fact(_SESSIONS, "pyspark", events=_EVENTS))
    found = spark.sql(_VISITORS, sessions=sessions)
    return found.select(*VISITORS.schema.names).coalesce(1).sortWithinPartitions("time")
