"""The tables of the MySQL store: what each holds, its columns and its indexes.

Answers have the columns of their questions. Beside them are events by hour, which Grafana filters and sums, what a run
did, and bad events. `history` tables keep the runs before; all others are made anew by each run.
"""

import re
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.analytics import QUESTIONS
from app.events.dialects import description, mysql_columns
from app.events.schema import TIME

OURS: Final = "shop batch: "
"""Begins the comment of each table that the job made, by which it knows them."""

KEPT_RUNS: Final = 1_000
"""Runs of which history tables keep rows."""

MONEY: Final = pa.decimal128(38, 2)

_TEXT: Final = "VARCHAR(255)"
# A row has at most 64 KiB (`MAX_ROW_BYTES`), and so has each of its values.
_LONG_TEXT: Final = "TEXT"
_BYTES: Final = "VARBINARY(16)"
_LONG_BYTES: Final = "MEDIUMBLOB"
_SHORT: Final = frozenset({"event_type", "segment", "reason", "field", "run", "table_name", "store"})
"""Columns of few characters each; all other text may be as long as a row."""

_FIRST_WITH_BYTES: Final = (8, 0, 17)
_KEY_TYPES: Final = (pa.types.is_date, pa.types.is_integer, pa.types.is_timestamp)
_LONGEST_COMMENT: Final = 1024


@dataclass(frozen=True)
class Table:
    """A table: a column of `schema` that may be NULL is said to; `keys` are as CREATE TABLE takes them."""

    name: str
    title: str
    schema: pa.Schema
    keys: tuple[str, ...] = ()
    history: bool = False

    def create(self, name: str, collation: str) -> str:
        """The statement that makes it under a quoted name."""
        lines = ",\n  ".join([*map(_definition, self.schema), *self.keys])
        return (
            f"CREATE TABLE {name} (\n  {lines}\n) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation} "
            f"COMMENT = {_text(OURS + self.title)}"
        )


def collation_of(version: str) -> str:
    """The collation of a server, by its version, that keeps apart whatever differs in a byte.

    The plain utf8mb4_bin takes no notice of spaces at the end; those that do have other names on each server. MySQL
    before 8.0.17 has none: there, texts that Unicode says are the same text (é in one character or in two) are one.
    """
    if "mariadb" in version.lower():
        return "utf8mb4_nopad_bin"
    return "utf8mb4_0900_bin" if _numbers(version) >= _FIRST_WITH_BYTES else "utf8mb4_0900_as_cs"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def _definition(field: pa.Field) -> str:
    (column,) = mysql_columns(pa.schema([field]))
    if field.name not in _SHORT:
        column = column.replace(_TEXT, _LONG_TEXT).replace(_BYTES, _LONG_BYTES)
    text = description(field)
    return f"{column} COMMENT {_text(text[:_LONGEST_COMMENT])}" if text else column


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _column(name: str, type_: pa.DataType, meaning: str, *, required: bool = True) -> pa.Field:
    return pa.field(name, type_, nullable=not required, metadata={"description": meaning})


def _answer(name: str) -> Table:
    """Its key is what the answer is sorted by, unless that has text without bounds, which cannot be a key."""
    question = QUESTIONS[name]
    key = [column for column, _ in question.order_by]
    fields = [question.schema.field(column) for column in key]
    fits = all(field.name == "event_type" or any(is_type(field.type) for is_type in _KEY_TYPES) for field in fields)
    if not fits:
        return Table(name, question.title, question.schema)
    schema = pa.schema([field.with_nullable(field.name not in key) for field in question.schema])
    return Table(name, question.title, schema, (_primary(*key),))


def _primary(*columns: str) -> str:
    return f"PRIMARY KEY ({', '.join(f'`{column}`' for column in columns)})"


_RUN: Final = _column("run", pa.string(), "the run's id, which sorts by time")

ACTIVITY: Final = Table(
    "activity",
    "Events by hour, event type, category and brand",
    pa.schema(
        [
            _column("time", TIME, "the hour's begin (UTC)"),
            _column("id", pa.int64(), "tells rows of one hour apart; of no meaning"),
            _column("event_type", pa.string(), "view, cart, remove_from_cart or purchase"),
            _column("department", pa.string(), "first level of the category; uncategorised where there is none"),
            _column("sub_category", pa.string(), "second level of the category; uncategorised where there is none"),
            _column("brand", pa.string(), "the brand; unbranded where there is none"),
            _column("events", pa.int64(), "how many"),
            _column("price_sum", MONEY, "the sum of their prices: of purchases, the revenue"),
        ]
    ),
    # Rows lie in the order of time, so that a range of time is read as it lies, whatever else is filtered.
    (_primary("time", "id"),),
)

VISITORS: Final = Table(
    "visitors",
    "Sessions by 5 minutes",
    pa.schema(
        [
            _column("time", TIME, "begin of the 5 minutes (UTC)"),
            _column("sessions", pa.int64(), "sessions with an event before their end and one after their begin"),
            _column("started", pa.int64(), "of these, sessions that began in them"),
        ]
    ),
    (_primary("time"),),
)

BRANDS: Final = Table(
    "brands",
    "Brands by their events",
    pa.schema(
        [
            _column("brand", pa.string(), "the brand; unbranded where there is none"),
            _column("events", pa.int64(), "how many"),
            _column("purchases", pa.int64(), "of these, purchases"),
            _column("revenue", MONEY, "the sum of the purchases' prices"),
        ]
    ),
    ("KEY `by_events` (`events`)", "KEY `by_brand` (`brand`(64))"),
)

BAD_EVENT_COUNTS: Final = Table(
    "bad_event_counts",
    "Bad events by source and reason",
    pa.schema(
        [
            _RUN,
            _column("number", pa.int64(), "tells rows of one run apart; of no meaning"),
            _column("source", pa.string(), "the file that the rows came from"),
            _column("reason", pa.string(), "why the rows are no events"),
            _column(
                "field", pa.string(), "the first column at fault; NULL where the row as a whole is", required=False
            ),
            _column("events", pa.int64(), "how many"),
        ]
    ),
    (_primary("run", "number"),),
    history=True,
)

BAD_EVENTS: Final = Table(
    "bad_events",
    "The first bad events of each reason, as they were received",
    pa.schema(
        [
            _column("reason", pa.string(), "why the row is no event"),
            _column("number", pa.int64(), "counts those of a reason from 1, in the order of source and row"),
            _column(
                "field", pa.string(), "the first column at fault; NULL where the row as a whole is", required=False
            ),
            _column("source", pa.string(), "the file that the row came from"),
            _column("source_row", pa.int64(), "the row's number in its source, the first data row being 1"),
            _column("raw", pa.binary(), "the row's first 64 KiB as they were received, without the end of line"),
            _column("bytes", pa.int64(), "the whole row's length"),
        ]
    ),
    (_primary("reason", "number"),),
)

LEDGER: Final = Table(
    "ledger",
    "Rows read = stored + duplicates + bad, by run",
    pa.schema(
        [
            _RUN,
            _column("read", pa.int64(), "rows in the input"),
            _column("stored", pa.int64(), "distinct events in the store"),
            _column("duplicates", pa.int64(), "rows equal to a stored event"),
            _column("bad", pa.int64(), "rows that are no events"),
        ]
    ),
    (_primary("run"),),
    history=True,
)

SOURCES: Final = Table(
    "sources",
    "What became of the rows of each event file, by run",
    pa.schema(
        [
            _RUN,
            _column("number", pa.int64(), "the file's place in the run's list, from 0"),
            _column("path", pa.string(), "the file's path or gs:// address"),
            _column("size", pa.int64(), "its bytes as stored"),
            _column("rows", pa.int64(), "its rows"),
            _column("events", pa.int64(), "distinct events that are stored from it"),
            _column("duplicates", pa.int64(), "rows equal to a stored event"),
            _column("bad", pa.int64(), "rows that are no events"),
        ]
    ),
    (_primary("run", "number"),),
    history=True,
)

RUNS: Final = Table(
    "runs",
    "Runs of the batch job",
    pa.schema(
        [
            _RUN,
            _column("started_at", TIME, "when it began (UTC)"),
            _column("finished_at", TIME, "when all was loaded, just before it was shown (UTC)"),
            _column("seconds", pa.float64(), "from begin to end"),
            _column("rows_per_second", pa.float64(), "rows read / seconds"),
            _column("first_event", TIME, "hour of the first event (UTC); NULL without events", required=False),
            _column("last_event", TIME, "hour of the last event (UTC); NULL without events", required=False),
        ]
    ),
    (_primary("run"), "KEY `by_start` (`started_at`)"),
    history=True,
)

LOADS: Final = Table(
    "loads",
    "Rows loaded into each table of this store and how long it took, by run",
    pa.schema(
        [
            _RUN,
            _column("table_name", pa.string(), "the table"),
            _column("rows", pa.int64(), "rows loaded"),
            _column("seconds", pa.float64(), "how long it took, what Spark did for it included"),
        ]
    ),
    (_primary("run", "table_name"),),
    history=True,
)

NOT_LOADED: Final = Table(
    "not_loaded",
    "Other stores that do not hold a run, and why",
    pa.schema(
        [
            _RUN,
            _column("store", pa.string(), "the store"),
            _column("error", pa.string(), "what happened"),
        ]
    ),
    (_primary("run", "store"),),
    history=True,
)

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        *map(_answer, QUESTIONS),
        ACTIVITY,
        VISITORS,
        BRANDS,
        BAD_EVENT_COUNTS,
        BAD_EVENTS,
        LEDGER,
        SOURCES,
        RUNS,
        LOADS,
        NOT_LOADED,
    )
}
"""Every table by name."""
