"""The one definition of an event: its columns, types and limits.

Every other description of an event is derived from here: the CSV codec reads `RAW_COLUMNS`, and
`app.events.dialects` turns a schema into BigQuery's, Spark's, MySQL's and Cassandra's own terms.

Money is decimal with two places in the store's currency; time is UTC in microseconds; a missing value
is NULL, never an empty string.
"""

from typing import Final

import pyarrow as pa

EVENT_TYPES: Final = ("view", "cart", "remove_from_cart", "purchase")
"""What a visitor can do, in the order of the funnel."""

RAW_COLUMNS: Final = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
"""The columns of an event file, in order (REES46 data set)."""

MAX_ROW_BYTES: Final = 64 * 1024
"""A longer row is a bad event: no real row comes near it, and a bigger one is a missing end of line."""

SESSION_GAP_MINUTES: Final = 30
"""A session ends when the visitor is silent for so long; the next event begins another one."""

PRICE: Final = pa.decimal128(12, 2)
TIME: Final = pa.timestamp("us", tz="UTC")


def _column(name: str, type_: pa.DataType, description: str, *, required: bool = True) -> pa.Field:
    return pa.field(name, type_, nullable=not required, metadata={"description": description})


EVENTS: Final = pa.schema(
    [
        _column("event_id", pa.binary(), "xxh3-128 of the canonical row, 16 bytes: equal rows are one event"),
        _column("event_time", TIME, "when the visitor acted (UTC)"),
        _column("event_type", pa.string(), "view, cart, remove_from_cart or purchase"),
        _column("product_id", pa.int64(), "the product acted on"),
        _column("category_id", pa.int64(), "the product's category, 19 digits"),
        _column(
            "category_code", pa.string(), "the category's path, for example electronics.smartphone", required=False
        ),
        _column("department", pa.string(), "first level of category_code", required=False),
        _column("sub_category", pa.string(), "second level of category_code", required=False),
        _column("product", pa.string(), "third and deeper levels of category_code", required=False),
        _column("brand", pa.string(), "the product's brand, lower case as published", required=False),
        _column("price", PRICE, "the product's price in the store's currency"),
        _column("user_id", pa.int64(), "the visitor"),
        _column("user_session", pa.string(), "the visitor's session as the store's site names it", required=False),
        _column("zero_price", pa.bool_(), "flag: the price is 0"),
        _column("missing_session", pa.bool_(), "flag: user_session is missing"),
    ]
)
"""An event, as every engine sees it. One row an event; `event_id` is its identity."""

PROVENANCE: Final = (
    _column("source", pa.string(), "the file or message that the row came from"),
    _column("source_row", pa.int64(), "the row's number in its source, the first data row being 1"),
    _column("ingest_time", TIME, "when the pipeline stored the row (UTC)"),
)

EVENT_LOG: Final = pa.schema([*EVENTS, *PROVENANCE])
"""An event with where it came from. Append only, delivered at least once: `events` reads it without repeats."""

BAD_EVENTS: Final = pa.schema(
    [
        _column("reason", pa.string(), "why the row is no event, one of app.events.bad_events.Reason"),
        _column("field", pa.string(), "the first column at fault; NULL where the row as a whole is", required=False),
        _column("raw", pa.binary(), "the row's bytes as they were received, without the end of line"),
        *PROVENANCE,
    ]
)
"""A row that is no event, kept with its reason. Append only, delivered at least once."""
