"""What is added up for Redis, against plain loops. Without a server."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batch.stores.redis.days import COLUMNS, PARTIAL, day_of
from app.batch.stores.redis.keys import BOARDS, MEASURES
from app.batch.stores.redis.tops import share_out, tops_of
from app.events.schema import EVENT_TYPES, EVENTS

DAY = datetime(2019, 10, 1, tzinfo=UTC)
SCHEMA = pa.schema([EVENTS.field(name) for name in COLUMNS])

texts = st.one_of(st.none(), st.sampled_from(["a", "b", "\U0001f600", "'\"", "x" * 100]))
events = st.fixed_dictionaries(
    {
        "event_time": st.integers(0, 24 * 3600 - 1).map(lambda seconds: DAY + timedelta(seconds=seconds)),
        "event_type": st.sampled_from(EVENT_TYPES),
        "product_id": st.one_of(st.integers(1, 5), st.just(2**62)),
        "department": texts,
        "sub_category": texts,
        "brand": texts,
        "price": st.integers(0, 999_999_999_999).map(lambda cents: Decimal(cents).scaleb(-2)),
        "user_id": st.integers(0, 2**62),
    }
)


def cents(event: dict[str, Any]) -> int:
    return int(event["price"].scaleb(2))


def names_of(event: dict[str, Any]) -> dict[str, str | None]:
    known = event["department"] is not None and event["sub_category"] is not None
    return {
        "products": str(event["product_id"]),
        "brands": event["brand"],
        "sub_categories": f"{event['department']}.{event['sub_category']}" if known else None,
    }


def scores_of(rows: list[dict[str, Any]]) -> dict[tuple[str, str], Counter[str]]:
    found: dict[tuple[str, str], Counter[str]] = {
        (board, measure): Counter() for board in BOARDS for measure in MEASURES
    }
    for event in rows:
        for board, name in names_of(event).items():
            if name is not None and event["event_type"] == "view":
                found[board, "views"][name] += 1
            if name is not None and event["event_type"] == "purchase":
                found[board, "purchases"][name] += 1
                found[board, "revenue_cents"][name] += cents(event)
    return found


@given(st.lists(st.lists(events, max_size=20), min_size=1, max_size=3))
def test_a_day_in_any_number_of_files_is_what_loops_count(files: list[list[dict[str, Any]]]) -> None:
    day = day_of(pa.Table.from_pylist(rows, SCHEMA) for rows in files)
    rows = [event for file in files for event in file]
    counts = Counter((event["event_time"].hour, event["event_type"]) for event in rows)
    money = Counter[int]()
    for event in rows:
        if event["event_type"] == "purchase":
            money[event["event_time"].hour] += cents(event)
    assert day.events.tolist() == [[counts[hour, kind] for kind in EVENT_TYPES] for hour in range(24)]
    assert day.revenue_cents.tolist() == [money[hour] for hour in range(24)]
    assert day.visitors.tolist() == sorted({event["user_id"] for event in rows})
    assert day.buyers.tolist() == sorted({event["user_id"] for event in rows if event["event_type"] == "purchase"})
    found = {(row["board"], row["name"]): row for row in day.names.to_pylist()}
    assert len(found) == len(day.names)
    for (board, measure), scores in scores_of(rows).items():
        assert scores == Counter({name: row[measure] for (of, name), row in found.items() if of == board})


@given(st.lists(st.lists(events, max_size=20), min_size=1, max_size=4), st.integers(1, 3), st.integers(1, 4))
def test_the_tops_of_all_shares_hold_the_best_of_all_days(
    days: list[list[dict[str, Any]]], shares: int, size: int
) -> None:
    parts: dict[int, list[pa.Table]] = {share: [] for share in range(shares)}
    for rows in days:
        for share, part in share_out(day_of([pa.Table.from_pylist(rows, SCHEMA)]).names, shares):
            parts[share].append(part)
    found: dict[tuple[str, str], dict[str, int]] = {}
    of = Counter[tuple[str, str]]()
    for share in range(shares):
        for top in tops_of(parts[share], size):
            found.setdefault((top.board, top.measure), {}).update(zip(top.names, top.scores, strict=True))
            of[top.board, top.measure] += top.of
    for key, scores in scores_of([event for rows in days for event in rows]).items():
        positive = {name: score for name, score in scores.items() if score}
        assert of[key] == len(positive)
        best = sorted(positive.items(), key=lambda one: (one[1], one[0].encode()), reverse=True)[:size]
        assert sorted(found[key].items(), key=lambda one: (one[1], one[0].encode()), reverse=True)[:size] == best


def test_parts_are_added_up_in_between_and_not_only_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.batch.stores.redis.tops._ROWS_AT_ONCE", 3)
    row = {"board": "brands", "name": "a", "views": 1, "purchases": 2, "revenue_cents": 3}
    parts = [pa.Table.from_pylist([row, row | {"name": "b"}], PARTIAL)] * 5
    tops = {(top.board, top.measure): top for top in tops_of(parts, 1)}
    assert (tops["brands", "revenue_cents"].names, tops["brands", "revenue_cents"].scores) == (["b"], [15])
    assert tops["brands", "views"].of == 2
    assert tops["products", "views"].names == []
