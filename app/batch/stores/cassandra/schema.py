"""The tables, and the steps by which a keyspace comes to have them.

Every table that a load fills is there twice, once for each slot: readers see one slot, a load fills the other. A table
`visits` is `visits_a` and `visits_b`.
"""
# ruff: noqa: S608 - the names of tables and columns are our own

from dataclasses import dataclass
from typing import Final

SLOTS: Final = ("a", "b")
STATE: Final = "state"
RUNS: Final = "runs"
VISITS: Final = "visits"
SESSIONS: Final = "sessions"
PRODUCT_DAYS: Final = "product_days"
BAD_EVENTS: Final = "bad_events"
DROP: Final = "DROP TABLE"
"""Begins the statement of a step after which a table is empty."""


@dataclass(frozen=True)
class Table:
    """A table that loads fill: its columns with their types, and its key."""

    name: str
    columns: dict[str, str]
    key: str
    order: str = ""

    def of(self, slot: str) -> str:
        """Its name in a slot."""
        return f"{self.name}_{slot}"

    def create(self, slot: str) -> str:
        """The statement that makes it, if it is not there."""
        columns = ", ".join(f"{name} {type_}" for name, type_ in self.columns.items())
        options = [
            *([f"CLUSTERING ORDER BY ({self.order})"] if self.order else ()),
            "compaction = {'class': 'UnifiedCompactionStrategy'}",
            # A load begins by truncating the slot, and what was in it is of no use.
            "allow_auto_snapshot = false",
            "gc_grace_seconds = 3600",
        ]
        return (
            f"CREATE TABLE IF NOT EXISTS {self.of(slot)} ({columns}, PRIMARY KEY ({self.key})) "
            f"WITH {' AND '.join(options)}"
        )

    def insert(self, slot: str) -> str:
        """The statement that writes a row of it."""
        marks = ", ".join("?" for _ in self.columns)
        return f"INSERT INTO {self.of(slot)} ({', '.join(self.columns)}) VALUES ({marks})"


EVENT_TYPE: Final = (
    "CREATE TYPE IF NOT EXISTS event (time timestamp, microsecond smallint, event_id blob, product_id bigint, "
    "category_id bigint, price decimal, event_type text, category_code text, brand text)"
)
VISIT_TYPE: Final = (
    "CREATE TYPE IF NOT EXISTS visit (ended timestamp, event_count int, purchases int, revenue decimal, "
    "user_session text, steps text, events frozen<list<frozen<event>>>)"
)
PLACE_TYPE: Final = "CREATE TYPE IF NOT EXISTS visit_place (user_id bigint, started timestamp, first_event blob)"
"""Which row of visits it is; the month is that of `started`."""

TABLES: Final = {
    VISITS: Table(
        VISITS,
        {
            "user_bucket": "bigint",
            "month": "int",
            "user_id": "bigint",
            "started": "timestamp",
            "first_event": "blob",
            # One value, and not seven columns, each of which takes the server time of its own.
            "visit": "frozen<visit>",
        },
        # Not a partition for each user: most would have two rows, and a partition takes the server five times what a
        # row does.
        "(user_bucket, month), user_id, started, first_event",
        "user_id ASC, started DESC, first_event ASC",
    ),
    SESSIONS: Table(
        SESSIONS,
        {
            "bucket": "int",
            "part": "int",
            "visits": "int",
            "sessions": "frozen<list<text>>",
            "places": "frozen<list<frozen<visit_place>>>",
        },
        "bucket, part",
    ),
    PRODUCT_DAYS: Table(
        PRODUCT_DAYS,
        {
            "product_id": "bigint",
            "day": "date",
            "views": "bigint",
            "carts": "bigint",
            "removals": "bigint",
            "purchases": "bigint",
            "revenue": "decimal",
        },
        "product_id, day",
        "day DESC",
    ),
    BAD_EVENTS: Table(
        BAD_EVENTS,
        {
            "block": "bigint",
            "source_row": "bigint",
            "ingest_time": "timestamp",
            "source": "text",
            "reason": "text",
            "field": "text",
            "raw": "blob",
        },
        "(source, block), source_row",
    ),
}
"""The tables of a slot. Columns are in the order in which rows are written."""


def _of_both_slots(*names: str) -> tuple[str, ...]:
    return tuple(TABLES[name].create(slot) for name in names for slot in SLOTS)


def _dropped(*names: str) -> tuple[str, ...]:
    return tuple(f"{DROP} IF EXISTS {TABLES[name].of(slot)}" for name in names for slot in SLOTS)


CREATE_STATE: Final = (
    f"CREATE TABLE IF NOT EXISTS {STATE} (name text PRIMARY KEY, version int, slot text, run text, owner text)"
)
"""One row, `shop`: the version of the schema, the slot and the run that readers see, and who is loading."""

STEPS: Final = (
    (EVENT_TYPE,),
    _of_both_slots(PRODUCT_DAYS),
    (
        *_of_both_slots(BAD_EVENTS),
        f"CREATE TABLE IF NOT EXISTS {RUNS} (run text PRIMARY KEY, slot text, started_at timestamp, "
        "finished_at timestamp, first_day date, last_day date, read bigint, stored bigint, duplicates bigint, "
        "bad bigint, not_loaded map<text, text>)",
    ),
    # Tables of another key; the load for which this is done fills them.
    (*_dropped(SESSIONS), PLACE_TYPE, *_of_both_slots(SESSIONS)),
    (*_dropped(VISITS), "DROP TYPE IF EXISTS visit_summary", VISIT_TYPE, *_of_both_slots(VISITS)),
)
"""What brings a keyspace from each version to the next; each may be done again after it was broken off."""

VERSION: Final = len(STEPS)
