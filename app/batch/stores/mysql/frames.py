"""What of a run's events goes to MySQL, as Spark frames of the columns of their tables, in the order of their keys.

Each row of a frame is the same in every run over the same events, also its number, so that a partition that is loaded
again replaces itself.
"""

from typing import TYPE_CHECKING, Final

from app.analytics.facts import UNCATEGORISED
from app.analytics.questions.bought_together import UNBRANDED
from app.analytics.sql import compile_fact
from app.batch.ingest import Ingested
from app.batch.stores.mysql.tables import ACTIVITY, BAD_EVENT_COUNTS, BAD_EVENTS, MONEY, VISITORS
from app.events.schema import MAX_ROW_BYTES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BUCKET_SECONDS: Final = 300
"""The width of a row of `visitors`."""

KEPT_BAD_EVENTS: Final = 100
"""Bad events of each reason that are kept as they were received; counts have them all."""

_EVENTS: Final = "mysql_events"
_SESSIONS: Final = "sessions"

_ACTIVITY: Final = """
    SELECT date_trunc('HOUR', event_time) AS time, event_type, coalesce(department, '{uncategorised}') AS department,
        coalesce(sub_category, '{uncategorised}') AS sub_category, coalesce(brand, '{unbranded}') AS brand,
        count(*) AS events, CAST(sum(price) AS DECIMAL({money.precision}, {money.scale})) AS price_sum
    FROM {{events}} GROUP BY ALL
"""
_NUMBERED_ACTIVITY: Final = """
    SELECT time, row_number() OVER (
        PARTITION BY time ORDER BY event_type, department, sub_category, brand) AS id, * EXCEPT (time)
    FROM {activity}
"""
_VISITORS: Final = """
    SELECT timestamp_seconds(bucket * {seconds}) AS time, count(*) AS sessions, count_if(bucket = first) AS started
    FROM (
        SELECT first, explode(sequence(first, last)) AS bucket FROM (
            SELECT unix_seconds(session_start) DIV {seconds} AS first, unix_seconds(session_end) DIV {seconds} AS last
            FROM {{sessions}}))
    GROUP BY bucket
"""
_COUNTS: Final = """
    SELECT '{run}' AS run, row_number() OVER (ORDER BY source, reason, field) AS number, source, reason, field, events
    FROM (SELECT source, reason, field, count(*) AS events FROM {{bad_events}} GROUP BY source, reason, field)
"""
_BAD_EVENTS: Final = """
    SELECT reason, number, field, source, source_row, substring(raw, 1, {bytes}) AS raw, octet_length(raw) AS bytes
    FROM (
        SELECT *, row_number() OVER (PARTITION BY reason ORDER BY source, source_row) AS number FROM {{bad_events}})
    WHERE number <= {kept}
"""


def of(spark: "SparkSession", ingested: Ingested, run: str) -> dict[str, "DataFrame"]:
    """The frame of each table that is made from events or bad events."""
    events, bad = ingested.events(spark), ingested.bad_events(spark)
    return {
        ACTIVITY.name: activity(spark, events),
        VISITORS.name: visitors(spark, events),
        BAD_EVENT_COUNTS.name: bad_event_counts(spark, bad, run),
        BAD_EVENTS.name: bad_events(spark, bad),
    }


def activity(spark: "SparkSession", events: "DataFrame") -> "DataFrame":
    """Events (columns of EVENTS) by hour, event type, category and brand: a thirtieth of their number, as a rule."""
    names = {"uncategorised": UNCATEGORISED, "unbranded": UNBRANDED, "money": MONEY}
    counted = spark.sql(_ACTIVITY.format(**names), events=events)
    numbered = spark.sql(_NUMBERED_ACTIVITY, activity=counted)
    return numbered.select(*ACTIVITY.schema.names)


def visitors(spark: "SparkSession", events: "DataFrame") -> "DataFrame":
    """Sessions by 5 minutes, from the fact `sessions` where the run has made it."""
    if spark.catalog.tableExists(_SESSIONS):
        sessions = spark.table(_SESSIONS)
    else:
        events.createOrReplaceTempView(_EVENTS)
        sessions = spark.sql(compile_fact(_SESSIONS, "pyspark", events=_EVENTS))
    found = spark.sql(_VISITORS.format(seconds=BUCKET_SECONDS), sessions=sessions)
    return found.select(*VISITORS.schema.names).coalesce(1).sortWithinPartitions("time")


def bad_event_counts(spark: "SparkSession", bad_events: "DataFrame", run: str) -> "DataFrame":
    """Bad events (columns of BAD_EVENTS of the events' schema) by source, reason and field."""
    counted = spark.sql(_COUNTS.format(run=run), bad_events=bad_events)
    return counted.select(*BAD_EVENT_COUNTS.schema.names)


def bad_events(spark: "SparkSession", found: "DataFrame") -> "DataFrame":
    """The first bad events of each reason."""
    kept = spark.sql(_BAD_EVENTS.format(bytes=MAX_ROW_BYTES, kept=KEPT_BAD_EVENTS), bad_events=found)
    return kept.select(*BAD_EVENTS.schema.names)
