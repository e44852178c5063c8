"""What can be read from the store: each question as a function, of the run that is shown when it is asked."""
# ruff: noqa: S608 - the names of tables and columns are our own

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa

from app.batch.errors import BatchError
from app.batch.stores.cassandra.load import BAD_BLOCK
from app.batch.stores.cassandra.schema import BAD_EVENTS, PRODUCT_DAYS, RUNS, SESSIONS, TABLES, VISITS
from app.batch.stores.cassandra.session import Row, Session
from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.state import Live, read_live
from app.batch.stores.cassandra.visits import bucket_of
from app.batch.stores.user_buckets import USER_BUCKETS
from app.events.csv_columns import category_levels
from app.events.schema import BAD_EVENTS as BAD_EVENT
from app.events.schema import EVENTS, TIME

VISIT: Final = pa.schema(
    [
        ("user_id", pa.int64()),
        ("user_session", pa.string()),
        ("started", TIME),
        ("ended", TIME),
        ("event_count", pa.int64()),
        ("purchases", pa.int64()),
        ("revenue", pa.decimal128(18, 2)),
        ("steps", pa.string()),
    ]
)
"""A visit without its events; `steps` are their types, one after the other. Times are in milliseconds."""

PRODUCT_DAY: Final = pa.schema(
    [
        ("day", pa.date32()),
        *((name, pa.int64()) for name in ("views", "carts", "removals", "purchases")),
        ("revenue", pa.decimal128(18, 2)),
    ]
)
"""What visitors did with a product on a day."""

_VISIT_COLUMNS: Final = ", ".join(
    name if name in ("user_id", "started") else f"visit.{name} AS {name}" for name in VISIT.names
)
_EVENT_COLUMNS: Final = "user_id, visit.user_session AS user_session, visit.events AS events"


@dataclass(frozen=True)
class ShownRun:
    """The run that readers see: its ledger, and the first and last day of its events."""

    id: str
    first_day: date | None
    last_day: date | None
    read: int
    stored: int
    duplicates: int
    bad: int
    not_loaded: dict[str, str]


class Shop:
    """Reads. Errors are BatchError; one of them is that nothing was loaded yet."""

    def __init__(self, settings: CassandraSettings) -> None:
        """Use a cluster; nothing is connected before the first question."""
        self._session = Session(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._session.close()

    def run(self) -> ShownRun:
        """The run that is shown."""
        return self._shown()[1]

    def events_of_user(
        self, user_id: int, *, since: datetime | None = None, until: datetime | None = None, limit: int = 1_000
    ) -> pa.Table:
        """A user's events, the newest first; columns of `EVENTS`.

        Args:
            user_id: the user.
            since: not those before it; None is from the first.
            until: not those at or after it; None is to the last.
            limit: how many at most.
        """
        live, run = self._shown()
        found: list[Row] = []
        for month, begin, end in _months(run, since, until):
            for visit in self._ask_visits(_EVENT_COLUMNS, live, user_id, month, begin, end):
                found += [row for row in _events(visit) if _within(row["event_time"], since, until)]
            if len(found) >= limit:
                break
        found.sort(key=lambda row: (-_micros(row["event_time"]), row["event_id"]))
        return _event_table(found[:limit])

    def visits_of_user(
        self, user_id: int, *, since: datetime | None = None, until: datetime | None = None, limit: int = 1_000
    ) -> pa.Table:
        """A user's visits that began in a time, the newest first; columns of `VISIT`, arguments of `events_of_user`."""
        live, run = self._shown()
        found: list[Row] = []
        for month, begin, end in _months(run, since, until):
            rows = self._ask_visits(_VISIT_COLUMNS, live, user_id, month, begin, end, limit - len(found))
            found += [row for row in rows if _within(_utc(row["started"]), since, until)]
            if len(found) >= limit:
                break
        return _table(found[:limit], VISIT)

    def events_of_session(self, user_session: str) -> pa.Table:
        """A session's events by time, the oldest first; columns of `EVENTS`."""
        live, _ = self._shown()
        rows = self._session.ask(
            f"SELECT sessions, places FROM {TABLES[SESSIONS].of(_slot(live))} "
            # Filters the rows of one partition, so that few of them are sent.
            "WHERE bucket = %s AND sessions CONTAINS %s ALLOW FILTERING",
            (bucket_of(user_session.encode()), user_session),
        )
        places = [
            place
            for row in rows
            for name, place in zip(row["sessions"], row["places"], strict=True)
            if name == user_session
        ]
        cql = (
            f"SELECT {_EVENT_COLUMNS} FROM {TABLES[VISITS].of(_slot(live))} "
            "WHERE user_bucket = ? AND month = ? AND user_id = ? AND started = ? AND first_event = ?"
        )
        keys = [
            (place.user_id % USER_BUCKETS, _month(place.started), place.user_id, place.started, place.first_event)
            for place in places
        ]
        answers = self._session.ask_all([(cql, key) for key in keys]) if keys else []
        found = [event for visits in answers for visit in visits for event in _events(visit)]
        found.sort(key=lambda row: (_micros(row["event_time"]), row["event_id"]))
        return _event_table(found)

    def activity_of_product(self, product_id: int, *, since: date | None = None, until: date | None = None) -> pa.Table:
        """A product's days with any activity, `since` to before `until`, the newest first; columns `PRODUCT_DAY`."""
        live, run = self._shown()
        if run.first_day is None or run.last_day is None:
            return PRODUCT_DAY.empty_table()
        rows = self._session.ask(
            f"SELECT {', '.join(PRODUCT_DAY.names)} FROM {TABLES[PRODUCT_DAYS].of(_slot(live))} "
            "WHERE product_id = %s AND day >= %s AND day < %s",
            (product_id, since or run.first_day, until or run.last_day + timedelta(days=1)),
        )
        return _table([row | {"day": row["day"].date()} for row in rows], PRODUCT_DAY)

    def bad_events(self, source: str, first_row: int = 1, last_row: int = BAD_BLOCK) -> pa.Table:
        """The bad events of a source from one of its rows to another; columns of `BAD_EVENTS` of the events' schema."""
        live, _ = self._shown()
        cql = (
            f"SELECT {', '.join(BAD_EVENT.names)} FROM {TABLES[BAD_EVENTS].of(_slot(live))} "
            "WHERE source = ? AND block = ? AND source_row >= ? AND source_row <= ?"
        )
        blocks = range(first_row // BAD_BLOCK, last_row // BAD_BLOCK + 1)
        answers = self._session.ask_all([(cql, (source, block, first_row, last_row)) for block in blocks])
        return _table([row for answer in answers for row in answer], BAD_EVENT)

    def _shown(self) -> tuple[Live, ShownRun]:
        live = read_live(self._session)
        rows = (
            self._session.ask(
                "SELECT run AS id, first_day, last_day, read, stored, duplicates, bad, not_loaded "
                f"FROM {RUNS} WHERE run = %s",
                (live.run,),
            )
            if live.run
            else []
        )
        if not rows:
            raise BatchError(f"nothing is loaded yet into Cassandra at {self._session.settings.address}")
        (row,) = rows
        days = {name: row[name].date() if row[name] else None for name in ("first_day", "last_day")}
        return live, ShownRun(**(row | days | {"not_loaded": dict(row["not_loaded"] or {})}))

    def _ask_visits(
        self, columns: str, live: Live, user_id: int, month: int, begin: datetime, end: datetime, limit: int = 0
    ) -> list[Row]:
        return self._session.ask(
            f"SELECT {columns} FROM {TABLES[VISITS].of(_slot(live))} "
            "WHERE user_bucket = %s AND month = %s AND user_id = %s AND started >= %s AND started < %s"
            + (f" LIMIT {limit}" if limit else ""),
            (user_id % USER_BUCKETS, month, user_id, begin, end),
        )


def _slot(live: Live) -> str:
    return str(live.slot)


def _months(run: ShownRun, since: datetime | None, until: datetime | None) -> Iterator[tuple[int, datetime, datetime]]:
    """The months of a time, the newest first: what they are called, and from when to when visits in them may begin."""
    if run.first_day is None or run.last_day is None:
        return
    # A visit's events are all of the day on which it began.
    first = max(run.first_day, since.astimezone(UTC).date()) if since else run.first_day
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(run.last_day, time(), UTC) + timedelta(days=1)
    end = min(end, until.astimezone(UTC)) if until else end
    while begin < end:
        last = end - timedelta(milliseconds=1)
        month_begin = last.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        yield _month(last), max(begin, month_begin), end
        end = month_begin


def _month(when: datetime) -> int:
    return when.year * 100 + when.month


def _within(when: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or when >= since) and (until is None or when < until)


def _events(visit: Row) -> Iterator[Row]:
    """The events of a visit, as columns of `EVENTS` but for those that follow from others."""
    for event in visit["events"]:
        yield {
            "event_id": event.event_id,
            "event_time": _utc(event.time) + timedelta(microseconds=event.microsecond),
            "event_type": event.event_type,
            "product_id": event.product_id,
            "category_id": event.category_id,
            "category_code": event.category_code,
            "brand": event.brand,
            "price": event.price,
            "user_id": visit["user_id"],
            "user_session": visit["user_session"],
            "zero_price": event.price == 0,
            "missing_session": visit["user_session"] is None,
        }


def _event_table(rows: list[Row]) -> pa.Table:
    codes = pa.array([row["category_code"] for row in rows], pa.string()).dictionary_encode()
    levels = dict(zip(("department", "sub_category", "product"), category_levels(codes), strict=True))
    columns = {
        name: levels[name] if name in levels else pa.array([row[name] for row in rows], EVENTS.field(name).type)
        for name in EVENTS.names
    }
    return pa.table(columns, EVENTS)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    for row in rows:
        for name, value in row.items():
            if isinstance(value, datetime):
                row[name] = _utc(value)
            elif isinstance(value, Decimal):
                row[name] = value.quantize(Decimal("0.01"))
    return pa.Table.from_pylist(rows, schema)


def _utc(when: datetime) -> datetime:
    """A time as the driver gives it."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _micros(when: datetime) -> int:
    return int((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
