"""The tables of the warehouse (BigQuery): what each holds, its columns, its partitions.

A table named `*_log` holds what arrived. It is only appended to, and delivery is at least once, so a row may stand in
it twice. The view of the same name without `_log` (`app.analytics.views`) says what is true: each event once,
the newest count of each minute. Readers use the views.

Counts come from a pipeline's state. Where that was given up or lost, its rows stay, and the state that begins in its
place, a later epoch, adds to them; or replaces them, where it began with what `event_log` holds.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.events.schema import BAD_EVENTS, EVENT_LOG, TIME

REVENUE: Final = pa.decimal128(18, 2)


def _column(name: str, type_: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, type_, nullable=False, metadata={"description": description})


_CELL: Final = (
    _column("shard", pa.int64(), "the part of the visitors that the row counts"),
    _column("epoch", pa.int64(), "when the state that counted began [microseconds since 1970]; epochs add up"),
    _column("is_rebuilt", pa.bool_(), "counted with all that event_log held; no earlier epoch of the hour holds then"),
    _column("updated_at", TIME, "when the row was written (UTC); the newest of a key counts"),
)

BAD_EVENT_LOG: Final = pa.schema(
    [
        *BAD_EVENTS,
        pa.field(
            "detail", pa.string(), metadata={"description": "the warehouse's own words, where it refused the row"}
        ),
    ]
)
"""A bad event as the stream keeps it. An event that the warehouse refused has its canonical row for its bytes."""

ACTIVITY_LOG: Final = pa.schema(
    [
        _column("minute", TIME, "the minute of event_time (UTC)"),
        _column("event_type", pa.string(), "view, cart, remove_from_cart or purchase"),
        _column("events", pa.int64(), "distinct events of that minute, type and shard"),
        _column("revenue", REVENUE, "sum of the prices of purchases in the store's currency"),
        *_CELL,
    ]
)
"""Counts by minute and event type, a row for each shard of the visitors and each time that it changed."""

SESSION_LOG: Final = pa.schema(
    [
        _column(
            "session_key",
            pa.string(),
            "user_session, or user:<user_id> where it is missing; user:: before a user_session that begins with user:",
        ),
        _column("hour", TIME, "the hour of event_time that the part of the session lies in (UTC)"),
        _column("session_start", TIME, "the first event of the part (UTC)"),
        _column("session_end", TIME, "the last event of the part (UTC)"),
        _column("user_id", pa.int64(), "the visitor; the smallest id where a session has several"),
        _column("events", pa.int64(), "distinct events"),
        _column("views", pa.int64(), "distinct events of type view"),
        _column("carts", pa.int64(), "distinct events of type cart"),
        _column("removals", pa.int64(), "distinct events of type remove_from_cart"),
        _column("purchases", pa.int64(), "distinct events of type purchase"),
        _column("revenue", REVENUE, "sum of the prices of purchases in the store's currency"),
        *_CELL,
    ]
)
"""The part of a session that lies in one hour. Parts less than 30 minutes apart are one session."""


@dataclass(frozen=True)
class Table:
    """A table of the warehouse."""

    schema: pa.Schema
    partition_by: str
    """The timestamp column whose day is the partition."""
    cluster_by: tuple[str, ...]
    description: str


TABLES: Final = {
    "event_log": Table(EVENT_LOG, "event_time", ("event_type", "user_id"), "every event that arrived"),
    "bad_event_log": Table(BAD_EVENT_LOG, "ingest_time", ("reason",), "every row that is no event, with its reason"),
    "activity_log": Table(ACTIVITY_LOG, "minute", ("event_type",), "events by minute and type, each time they changed"),
    "session_log": Table(SESSION_LOG, "hour", ("session_key",), "parts of sessions, each time they changed"),
}
