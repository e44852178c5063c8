"""What the Redis store holds after a load into a real server, against an independent count by DuckDB."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.redis import RedisSettings, RedisStore, Shop
from app.batch.stores.redis.keys import BOARDS, MEASURES
from app.events.generator import Settings, generate
from app.events.ledger import LedgerError
from app.events.schema import EVENT_TYPES
from app.local.redis import RedisServer, redis_server
from tests.batch.stores.redis_loads import (
    answer_to,
    client_of,
    content,
    csv_rows,
    fill,
    ledger_of,
    load,
    opened,
    settings_of,
    shown,
    stage,
)

pytestmark = pytest.mark.integration

LONG = "x" * 9_990 + "\U0001f6d2" * 10
NAMES = [
    "o'neill",
    'a "quoted" name',
    "\U0001f600 \U00020000",
    "back\\slash",
    "{shop}:keys",
    "%s;--",
    "  two spaces ",
    LONG,
]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def settings(server: RedisServer) -> RedisSettings:
    with client_of(server) as client:
        client.flushall()
    return settings_of(server)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    data = b"".join(generate(Settings(events=30_000, seed=5, days=3, bad=0.01)))
    return stage(tmp_path_factory.mktemp("staged"), data)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    """Other days and other products."""
    data = b"".join(generate(Settings(events=3_000, seed=6, days=2, start=date(2019, 12, 30))))
    return stage(tmp_path_factory.mktemp("other"), data)


def counted(events: pa.Table, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("events", events)
        return database.sql(sql).fetchall()


def test_leaderboards_are_those_of_an_independent_count(
    settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    names = {
        "brands": "brand",
        "sub_categories": "department || '.' || sub_category",
        "products": "CAST(product_id AS VARCHAR)",
    }
    of = {
        "views": "count(*) FILTER (event_type = 'view')",
        "purchases": "count(*) FILTER (event_type = 'purchase')",
        "revenue_cents": "coalesce(sum(CAST(price * 100 AS BIGINT)) FILTER (event_type = 'purchase'), 0)",
    }
    with Shop(settings) as shop:
        for board in BOARDS:
            for measure in MEASURES:
                sql = f"SELECT {names[board]} AS name, {of[measure]} AS score FROM events GROUP BY 1"
                expected = counted(
                    staged[1],
                    f"SELECT * FROM ({sql}) WHERE name IS NOT NULL AND score > 0 ORDER BY score DESC, name DESC",
                )
                found = [(one.name, one.score) for one in shop.top(board, measure, 100_000)]
                assert found == expected, (board, measure)
                assert [(one.name, one.score) for one in shop.top(board, measure, 3)] == expected[:3]
        assert not shop.top("brands", "views", 0)
        best = shop.top("brands", "revenue_cents", 1)[0]
        assert best.money * 100 == best.score


def test_counters_are_those_of_an_independent_count(settings: RedisSettings, staged: tuple[Ingested, pa.Table]) -> None:
    load(settings, *staged)
    sums = "event_type, count(*), sum(price) FILTER (event_type = 'purchase') FROM events GROUP BY ALL"
    with Shop(settings) as shop:
        days = counted(staged[1], f"SELECT CAST(event_time AS DATE), {sums}")
        assert set(shop.days()) == {day for day, *_ in days}
        for day, kind, count, revenue in days:
            assert shop.day(day).events[kind] == count
            if kind == "purchase":
                assert shop.day(day).revenue == revenue
        for day, hour, kind, count, revenue in counted(
            staged[1], f"SELECT CAST(event_time AS DATE), hour(event_time), {sums}"
        ):
            assert shop.hours(day)[hour].events[kind] == count
            if kind == "purchase":
                assert shop.hours(day)[hour].revenue == revenue
        nothing = shop.day(date(2001, 1, 1))
        assert nothing.events == dict.fromkeys(EVENT_TYPES, 0)
        assert nothing.revenue == 0
        assert shop.hours(date(2001, 1, 1)) == {}
    assert shown(settings) == ledger_of(staged[0]).stored


def test_visitors_and_buyers_of_a_day_and_of_a_range_are_right_within_a_few_percent(
    settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    with Shop(settings) as shop:
        for first, last in ((1, 1), (2, 2), (1, 3)):
            days = date(2019, 10, first), date(2019, 10, last)
            ((visitors, buyers),) = counted(
                staged[1],
                "SELECT count(DISTINCT user_id), count(DISTINCT user_id) FILTER (event_type = 'purchase') FROM events "
                f"WHERE CAST(event_time AS DATE) BETWEEN '{days[0]}' AND '{days[1]}'",
            )
            assert shop.visitors(*days) == pytest.approx(visitors, rel=0.04)
            assert shop.buyers(*days) == pytest.approx(buyers, rel=0.04)
        assert shop.visitors(date(2019, 10, 1)) == shop.visitors(date(2019, 10, 1), date(2019, 10, 1))
        assert shop.visitors(date(2001, 1, 1), date(2001, 1, 31)) == 0


def test_the_funnel_the_conversion_the_ledger_and_bad_events_are_shown(
    settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    (funnel,) = answer_to("session_funnel", staged[1]).to_pylist()
    rates = {
        f"{row['department']}.{row['sub_category']}": row["conversion_rate"]
        for row in answer_to("purchase_conversion_rate", staged[1]).to_pylist()
        if row["conversion_rate"] is not None
    }
    with Shop(settings) as shop:
        assert shop.funnel() == funnel
        found = shop.conversion(1_000)
        assert dict(found) == rates
        assert [rate for _, rate in found] == sorted(rates.values(), reverse=True)
        ledger = ledger_of(staged[0])
        assert ledger.bad > 0
        assert sum(shop.bad_events().values()) == ledger.bad
        assert {name: int(shop.run()[name]) for name in ("read", "stored", "duplicates", "bad")} == vars(ledger)
        assert datetime.fromisoformat(shop.run()["finished_at"]) <= datetime.now(UTC)


def test_a_second_load_leaves_the_same_content_and_another_one_replaces_all(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    first = content(server)
    load(settings, *staged)
    assert content(server) == first
    load(settings, *other)
    assert shown(settings) == ledger_of(other[0]).stored
    assert not [key for key in content(server) if "2019-10" in key]
    load(settings, *staged)
    assert content(server) == first


def test_nothing_is_seen_before_the_commit_and_nothing_is_left_without_one(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    before = content(server)
    with opened(settings) as store:
        fill(store, *other)
        assert shown(settings) == ledger_of(staged[0]).stored
        with client_of(server) as client:
            assert all(client.ttl(key) > 0 for key in client.keys("*:load:*"))
    assert content(server) == before


def test_a_reader_sees_one_run_or_the_other_whole(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    """A reader asks for several keys in one transaction, again and again, while the runs change."""
    load(settings, *staged)
    seen: set[tuple[str, int]] = set()
    ended = threading.Event()

    def read() -> None:
        with client_of(server) as client:
            while not ended.is_set():
                transaction = client.pipeline(transaction=True)
                transaction.hget("{shop}:run", "stored").hvals("{shop}:days").zcard("{shop}:top:products:views")
                stored, days, products = transaction.execute()
                assert int(stored) == sum(map(int, days))
                seen.add((stored, products))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(3):
        load(settings, *other)
        load(settings, *staged)
    ended.set()
    reader.join()
    assert len(seen) == 2


def test_steps_may_be_run_again(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    once = content(server)
    with opened(settings) as store:
        fill(store, *staged)
        store.write_ledger(ledger_of(staged[0]), staged[0], {"mysql": "it is down"})
        fill(store, *staged)
        store.commit()
        store.commit()
    assert content(server) == once


def test_the_run_says_which_other_stores_were_not_loaded(
    settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    with opened(settings) as store:
        fill(store, *staged)
        store.write_ledger(ledger_of(staged[0]), staged[0], {"mysql": "it is down"})
        store.commit()
    with Shop(settings) as shop:
        assert shop.run()["not_loaded:mysql"] == "it is down"


def test_a_leaderboard_keeps_the_best_of_all_days_and_no_more_than_it_may(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    with Shop(settings) as shop:
        whole = {(board, measure): shop.top(board, measure, 50) for board in BOARDS for measure in MEASURES}
    load(settings_of(server, board_size=50), *staged)
    with Shop(settings) as shop:
        for (board, measure), expected in whole.items():
            assert shop.top(board, measure, 1_000) == expected


def test_names_of_any_letters_and_length_come_back_as_they_are(settings: RedisSettings, tmp_path: Path) -> None:
    rows = [
        ["2019-10-01 00:00:00 UTC", kind, number, 2053013555631882655, "a.b.c", name, "10.25", 7, f"s{number}"]
        for number, name in enumerate(NAMES, 1)
        for kind in ("view", "purchase")
    ]
    load(settings, *stage(tmp_path / "staged", csv_rows(rows)))
    with Shop(settings) as shop:
        for measure, score in zip(MEASURES, (1, 1, 1025), strict=True):
            found = shop.top("brands", measure, 100)
            assert sorted(one.name for one in found) == sorted(NAMES)
            assert {one.score for one in found} == {score}


def test_a_run_without_events_shows_an_empty_shop(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table], tmp_path: Path
) -> None:
    load(settings, *staged)
    load(settings, *stage(tmp_path / "staged", csv_rows([])))
    with Shop(settings) as shop:
        assert shop.days() == {}
        assert shop.top("products", "views", 10) == []
        assert shop.bad_events() == {}
        assert shop.run()["stored"] == "0"
    assert len([key for key in content(server) if ":load" not in key]) <= 4


def test_two_prefixes_share_nothing(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, *staged)
    second = settings_of(server, prefix="shop.2")
    with opened(settings) as store:
        fill(store, *staged)
        load(second, *other)
    assert shown(settings) == ledger_of(staged[0]).stored
    assert shown(second) == ledger_of(other[0]).stored


def test_what_is_missing_in_the_store_is_found_before_the_commit(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    run = Run.begin()
    damages = {
        "hours:2019-10-02": "events by hour",
        "visitors:2019-10-03": "lost keys of the run",
        "top:brands:views": "lost keys of the run",
        "bad": "bad events",
        "run": "the ledger",
    }
    with opened(settings, run) as store, client_of(server) as client:
        for name, said in damages.items():
            fill(store, *staged)
            assert client.delete(f"{{shop}}:load:{run.id}:{name}") == 1
            with pytest.raises(LedgerError, match=said):
                store.verify(ledger_of(staged[0]))


def test_the_store_is_made_from_the_environment(
    server: RedisServer, settings: RedisSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    store = RedisStore.from_environment(server.environment)
    store.open(Run.begin())
    fill(store, *staged)
    store.commit()
    store.close()
    assert shown(settings) == ledger_of(staged[0]).stored
