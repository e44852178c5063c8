"""Cells count exactly, in whatever order, batches and repeats events come, and however often they are counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from app.analytics.views import compile_view
from app.events.schema import EVENT_TYPES, EVENTS
from app.events.warehouse import ACTIVITY_LOG, SESSION_LOG, TABLES
from app.stream.cells import CellKey, count_cell, split_into_cells
from tests.analytics.reference_sessions import key_of

START = datetime(2019, 10, 1, 22, tzinfo=UTC)
GAP = timedelta(minutes=30)
EPOCH: Any = {"epoch": 1, "is_rebuilt": False}
Event = tuple[datetime, str, Decimal, int, str | None]

# Times that fall on the edges: of minutes, of hours, of a day, and gaps of exactly 30 minutes and a microsecond less.
TIMES = st.builds(
    lambda half_hours, micros: START + half_hours * GAP + timedelta(microseconds=micros),
    st.integers(0, 8),
    st.sampled_from([-1, 0, 1, 59_999_999, 60_000_000, 1_799_999_999]) | st.integers(0, 1_799_999_999),
)
EVENT = st.tuples(
    TIMES,
    st.sampled_from(EVENT_TYPES),
    st.decimals(0, 9_999_999_999, places=2),
    st.integers(1, 5),
    st.sampled_from([None, "a", "b", "user:1"]),
)


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[list[Event]]]:
    """Batches by firing: events in any order and number of batches, some of them again in other places."""
    distinct = draw(st.lists(EVENT, min_size=1, max_size=30, unique=True))
    repeated = draw(st.lists(st.sampled_from(distinct), max_size=15))
    events = draw(st.permutations(distinct + repeated))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    ends = sorted(draw(st.lists(st.integers(0, len(batches)), max_size=3)))
    return [batches[a:b] for a, b in zip([0, *ends], [*ends, len(batches)], strict=True)]


@settings(max_examples=150, deadline=None)
@given(deliveries(), st.integers(1, 4))
def test_counts_and_sessions_are_those_of_the_distinct_events(firings: list[list[list[Event]]], shards: int) -> None:
    activity, sessions = count_in_cells(firings, shards)
    events = {event for batches in firings for batch in batches for event in batch}
    assert summed(activity) == minutes_of(events)
    assert merged(sessions) == sessions_of(events)


@settings(max_examples=100, deadline=None)
@given(deliveries(), st.integers(1, 2), st.sampled_from([100, 300]))
def test_cells_that_are_full_pass_on_and_all_together_count_the_same(
    firings: list[list[list[Event]]], shards: int, max_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.stream.cells.MAX_CELL_BYTES", max_bytes)
        activity, sessions = count_in_cells(firings, shards)
    events = {event for batches in firings for batch in batches for event in batch}
    assert summed(activity) == minutes_of(events)
    assert merged(sessions) == sessions_of(events)


@settings(max_examples=25, deadline=None)
@given(deliveries(), st.integers(1, 4))
def test_the_views_of_the_logs_say_the_same(firings: list[list[list[Event]]], shards: int) -> None:
    activity, sessions = count_in_cells(firings, shards)
    events = {event for batches in firings for batch in batches for event in batch}
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'; CREATE SCHEMA shop")
        logs = {"activity_log": activity, "session_log": sessions}
        for name, table in TABLES.items():
            rows = logs.get(name, table.schema.empty_table())
            engine.register("rows_", rows)
            # Twice, since an append may be repeated.
            engine.execute(f"CREATE TABLE shop.{name} AS SELECT * FROM rows_ UNION ALL SELECT * FROM rows_")
        found = engine.sql(compile_view("activity_by_minute", "shop", "duckdb")).to_arrow_table().to_pylist()
        assert {(row["minute"], row["event_type"]): (row["events"], row["revenue"]) for row in found} == minutes_of(
            events
        )
        view = engine.sql(compile_view("sessions", "shop", "duckdb")).to_arrow_table().to_pylist()
        assert sorted(tuple(row[name] for name in SESSION) for row in view) == sessions_of(events)


SESSION = (
    "session_key",
    "session_start",
    "session_end",
    "user_id",
    *("events", "views", "carts", "removals", "purchases"),
    "revenue",
)


def batch_of(events: list[Event]) -> pa.RecordBatch:
    columns: dict[str, list[Any]] = {name: [None] * len(events) for name in EVENTS.names}
    for name, values in zip(
        ("event_time", "event_type", "price", "user_id", "user_session"), zip(*events, strict=True), strict=True
    ):
        columns[name] = list(values)
    columns["event_id"] = [xxh3_128_digest(repr(event).encode()) for event in events]
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[field.name], field.type) for field in EVENTS], names=EVENTS.names
    )


def count_in_cells(firings: list[list[list[Event]]], shards: int) -> tuple[pa.Table, pa.Table]:
    """The logs that cells write: each keeps what it knew, and is counted once a firing."""
    known: dict[CellKey, list[bytes]] = {}
    activity, sessions = [ACTIVITY_LOG.empty_table()], [SESSION_LOG.empty_table()]
    for batches in firings:
        fresh: dict[CellKey, list[bytes]] = {}
        for events in batches:
            if events:
                for key, part in split_into_cells(batch_of(events), shards):
                    fresh.setdefault(key, []).append(part)
        level = 0
        while fresh:
            below: dict[CellKey, list[bytes]] = {}
            for key, parts in fresh.items():
                counted = count_cell(key, known.get(key, []), parts, level=level, **EPOCH)
                if counted.events is not None:
                    known[key] = [counted.events]
                activity.append(pa.Table.from_batches([counted.activity]))
                sessions.append(pa.Table.from_batches([counted.sessions]))
                for child, part in counted.passed_on:
                    below.setdefault(child, []).append(part)
            fresh, level = below, level + 1
    return pa.concat_tables(activity), pa.concat_tables(sessions)


def newest(log: pa.Table, *key: str) -> Iterator[dict[str, Any]]:
    """Of all rows of a key, those that were written last."""
    rows = log.to_pylist()
    last: dict[tuple[Any, ...], datetime] = {}
    for row in rows:
        name = tuple(row[column] for column in key)
        last[name] = max(last.get(name, row["updated_at"]), row["updated_at"])
    return (row for row in rows if row["updated_at"] == last[tuple(row[column] for column in key)])


def summed(log: pa.Table) -> dict[tuple[datetime, str], tuple[int, Decimal]]:
    sums: dict[tuple[datetime, str], tuple[int, Decimal]] = {}
    for row in newest(log, "minute", "event_type", "shard", "epoch"):
        events, revenue = sums.get((row["minute"], row["event_type"]), (0, Decimal(0)))
        sums[row["minute"], row["event_type"]] = (events + row["events"], revenue + row["revenue"])
    return sums


def merged(log: pa.Table) -> list[tuple[Any, ...]]:
    whole: list[dict[str, Any]] = []
    for part in sorted(
        newest(log, "session_key", "hour", "shard", "epoch"), key=lambda row: (row["session_key"], row["session_start"])
    ):
        last = whole[-1] if whole else None
        if last and last["session_key"] == part["session_key"] and part["session_start"] - last["session_end"] < GAP:
            last["session_end"] = max(last["session_end"], part["session_end"])
            last["user_id"] = min(last["user_id"], part["user_id"])
            for name in SESSION[4:]:
                last[name] += part[name]
        else:
            whole.append(part)
    return sorted(tuple(row[name] for name in SESSION) for row in whole)


def minutes_of(events: set[Event]) -> dict[tuple[datetime, str], tuple[int, Decimal]]:
    sums: dict[tuple[datetime, str], tuple[int, Decimal]] = {}
    for time, event_type, price, _, _ in events:
        key = time.replace(second=0, microsecond=0), event_type
        count, revenue = sums.get(key, (0, Decimal(0)))
        sums[key] = (count + 1, revenue + (price if event_type == "purchase" else 0))
    return sums


def sessions_of(events: set[Event]) -> list[tuple[Any, ...]]:
    by_key: dict[str, list[Event]] = {}
    for event in events:
        by_key.setdefault(key_of(event[4], event[3]), []).append(event)
    found: list[tuple[str, list[Event]]] = []
    for key, its in by_key.items():
        for number, event in enumerate(ordered := sorted(its, key=lambda event: event[0])):
            if number == 0 or event[0] - ordered[number - 1][0] >= GAP:
                found.append((key, []))
            found[-1][1].append(event)
    return sorted(_session(key, its) for key, its in found)


def _session(key: str, events: list[Event]) -> tuple[Any, ...]:
    types = [event[1] for event in events]
    return (
        *(key, events[0][0], events[-1][0], min(event[3] for event in events), len(events)),
        *map(types.count, ("view", "cart", "remove_from_cart", "purchase")),
        sum((event[2] for event in events if event[1] == "purchase"), Decimal(0)),
    )


def view(time: str, user: int = 1, session: str | None = "s") -> Event:
    return datetime.fromisoformat(f"2019-10-01T{time}+00:00"), "view", Decimal("1.50"), user, session


def found_sessions(*events: Event, shards: int = 1) -> list[tuple[str, str, int]]:
    """Start, end and events of what the cells find."""
    sessions = merged(count_in_cells([[list(events)]], shards)[1])
    return [(f"{row[1]:%H:%M:%S.%f}"[:12], f"{row[2]:%H:%M:%S.%f}"[:12], row[4]) for row in sessions]


def test_silence_of_exactly_30_minutes_ends_a_session() -> None:
    assert found_sessions(view("10:00:00"), view("10:30:00")) == [
        ("10:00:00.000", "10:00:00.000", 1),
        ("10:30:00.000", "10:30:00.000", 1),
    ]
    assert found_sessions(view("10:00:00"), view("10:29:59.999999")) == [("10:00:00.000", "10:29:59.999", 2)]


def test_a_session_goes_on_over_hours_and_midnight() -> None:
    events = (view("09:50:00"), view("10:10:00"), view("10:35:00"), view("11:00:00"))
    assert found_sessions(*events) == [("09:50:00.000", "11:00:00.000", 4)]


def test_events_of_two_users_with_one_session_name_are_one_session_in_any_number_of_shards() -> None:
    events = (view("10:00:00", user=1), view("10:20:00", user=2), view("10:40:00", user=1))
    for shards in (1, 2, 3):
        assert found_sessions(*events, shards=shards) == [("10:00:00.000", "10:40:00.000", 3)]


def test_events_without_a_session_belong_to_their_user() -> None:
    _, log = count_in_cells([[[view("10:00:00", 7, None), view("10:05:00", 7, None), view("10:06:00", 8, None)]]], 2)
    assert [(row[0], row[4]) for row in merged(log)] == [("user:7", 2), ("user:8", 1)]


def test_a_session_that_is_named_like_a_visitor_is_not_the_visitor() -> None:
    events = [view("10:00:00", 7, None), view("10:05:00", 7, "user:7"), view("10:06:00", 7, "user::user:7")]
    _, log = count_in_cells([[events]], 2)
    assert [row[0] for row in merged(log)] == ["user:7", "user::user:7", "user::user::user:7"]


def test_repeats_alone_change_nothing() -> None:
    ((key, part),) = split_into_cells(batch_of([view("10:00:00"), view("10:00:01")]), 1)
    first = count_cell(key, [], [part, part], **EPOCH)
    assert first.events
    assert first.activity.column("events").to_pylist() == [2]
    again = count_cell(key, [first.events], [part], **EPOCH)
    assert again.events is None
    assert not len(again.activity)
    assert not len(again.sessions)


def test_only_minutes_and_sessions_that_changed_are_written_again() -> None:
    ((key, part),) = split_into_cells(batch_of([view("10:00:00"), view("10:10:00", session="other")]), 1)
    ((_, late),) = split_into_cells(batch_of([view("10:00:30")]), 1)
    first = count_cell(key, [], [part], **EPOCH)
    assert first.events
    second = count_cell(key, [first.events], [late], **EPOCH)
    assert second.activity.column("minute").to_pylist() == [datetime(2019, 10, 1, 10, tzinfo=UTC)]
    assert second.sessions.column("session_key").to_pylist() == ["s"]
    assert second.sessions.column("events").to_pylist() == [2]


def test_no_events_make_no_cell() -> None:
    assert not list(split_into_cells(pa.RecordBatch.from_pylist([], EVENTS), 3))


@pytest.mark.parametrize("shards", [1, 4])
def test_a_cell_has_one_hour_and_the_visitors_of_one_shard(shards: int) -> None:
    events = [view(f"{hour}:15:00", user) for hour in (10, 11) for user in range(8)]
    keys = [key for key, _ in split_into_cells(batch_of(events), shards)]
    hour = int(datetime(2019, 10, 1, 10, tzinfo=UTC).timestamp()) // 3_600
    assert keys == [CellKey(h, shard) for h in (hour, hour + 1) for shard in range(shards)]


def test_cells_of_all_levels_have_numbers_of_their_own() -> None:
    roots = [CellKey(1, shard) for shard in (0, 1, 9_999)]
    children = [root.child(number) for root in roots for number in range(64)]
    grandchildren = [child.child(number) for child in children for number in range(64)]
    keys = [*roots, *children, *grandchildren]
    assert len(set(keys)) == len(keys)
    assert max(key.shard for key in keys) < 2**63
