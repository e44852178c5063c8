"""The generated store follows the published figures, in the published format, the same from the same seed."""

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from app.events.generator import Generation, Settings, SettingsError, generate
from app.events.schema import RAW_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
HEADER = ",".join(RAW_COLUMNS).encode()
# Published of October 2019 (42,448,764 events): the figure and how far a million events may be from it.
FIGURES = {
    "view_percent": (96.07, 0.15),
    "cart_percent": (2.18, 0.12),
    "purchase_percent": (1.75, 0.08),
    "without_category_percent": (31.84, 0.6),
    "without_brand_percent": (14.40, 0.4),
    "zero_price_percent": (0.16, 0.04),
    "smartphone_percent": (27.1, 1.0),
    "events_a_session": (4.6, 0.1),
    "sessions_a_user": (3.1, 0.1),
    "smartphone_revenue_percent": (68.0, 2.0),
}
READ = """
create table events as
select distinct event_time, event_type, product_id, category_id, category_code, brand,
    price::decimal(12, 2) as price, user_id, user_session,
    strptime(event_time, '%Y-%m-%d %H:%M:%S UTC') as moment
from read_csv(?, header = true, all_varchar = true)
"""


@pytest.fixture(scope="module")
def generation() -> Generation:
    return generate(Settings(events=1_000_000, seed=7))


@pytest.fixture(scope="module")
def store(generation: Generation, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    file = tmp_path_factory.mktemp("store") / "events.csv"
    with file.open("wb") as out:
        out.writelines(generation)
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute(READ, [str(file)])
    return connection


def one(store: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    row = store.execute(query).fetchone()
    assert row is not None
    return tuple(float(value) for value in row)


def test_follows_the_published_figures(store: duckdb.DuckDBPyConnection) -> None:
    measured = one(
        store,
        """
        select 100 * avg((event_type = 'view')::int), 100 * avg((event_type = 'cart')::int),
            100 * avg((event_type = 'purchase')::int), 100 * avg((category_code is null)::int),
            100 * avg((brand is null)::int), 100 * avg((price = 0)::int),
            100 * avg((coalesce(category_code, '') = 'electronics.smartphone')::int),
            count(*) / count(distinct user_session), count(distinct user_session) / count(distinct user_id),
            100 * sum(price) filter (event_type = 'purchase' and category_code = 'electronics.smartphone')
                / sum(price) filter (event_type = 'purchase')
        from events
        """,
    )
    off = {
        name: (value, target)
        for value, (name, (target, tolerance)) in zip(measured, FIGURES.items(), strict=True)
        if abs(value - target) > tolerance
    }
    assert not off


def test_distinct_rows_are_the_events_of_the_summary(store: duckdb.DuckDBPyConnection, generation: Generation) -> None:
    assert one(store, "select count(*) from events") == (generation.summary.events,)
    assert generation.summary.duplicates == 712
    assert generation.summary.rows == 1_000_000


def test_visitors_view_before_they_cart_and_cart_before_they_buy(store: duckdb.DuckDBPyConnection) -> None:
    without_view, out_of_order, without_cart, buyers, abandoned = one(
        store,
        """
        with sessions as (
            select user_session, min(moment) filter (event_type = 'view') as viewed,
                min(moment) filter (event_type = 'cart') as carted,
                min(moment) filter (event_type = 'purchase') as bought
            from events where user_session is not null group by 1
        )
        select count(*) filter (viewed is null), count(*) filter (viewed > least(carted, bought) or carted > bought),
            count(*) filter (bought is not null and carted is null), count(*) filter (bought is not null),
            avg((bought is null)::int) filter (carted is not null)
        from sessions
        """,
    )
    assert without_view < 30  # sessions that the end of the span cut
    assert out_of_order == 0
    assert 0.2 < without_cart / buyers < 0.5
    assert 0.3 < abandoned < 0.6


def test_conversion_depends_on_the_category(store: duckdb.DuckDBPyConnection) -> None:
    rates = dict(
        store.execute(
            """
            select category_code, count(*) filter (event_type = 'purchase') / count(*) filter (event_type = 'view')
            from events group by 1
            """
        ).fetchall()
    )
    assert rates["electronics.smartphone"] > 2 * rates["computers.notebook"] > 2 * rates["furniture.living_room.sofa"]


def test_days_have_hours_and_one_sale_and_one_trouble_stand_out(store: duckdb.DuckDBPyConnection) -> None:
    hours = dict(store.execute("select hour(moment), count(*) from events group by 1").fetchall())
    assert hours[16] > 4 * hours[1]
    revenue = dict(
        store.execute(
            "select moment::date, sum(price)::double from events where event_type = 'purchase' group by 1"
        ).fetchall()
    )
    assert len(revenue) == 31
    usual = sorted(revenue.values())[15]
    assert max(revenue, key=lambda day: revenue[day]) == date(2019, 10, 17)
    assert min(revenue, key=lambda day: revenue[day]) == date(2019, 10, 25)
    assert revenue[date(2019, 10, 17)] > 1.8 * usual
    assert revenue[date(2019, 10, 25)] < 0.6 * usual


def test_users_come_back_less_and_less(store: duckdb.DuckDBPyConnection) -> None:
    returned = one(
        store,
        """
        with firsts as (select user_id, min(moment::date) as first from events group by 1),
            weeks as (select distinct user_id, (moment::date - first) // 7 as week
                      from events join firsts using (user_id) where first <= date '2019-10-07')
        select count(*) filter (week = 1) / count(*) filter (week = 0),
            count(*) filter (week = 2) / count(*) filter (week = 0),
            count(*) filter (week = 3) / count(*) filter (week = 0) from weeks
        """,
    )
    assert 0.5 > returned[0] > returned[1] > returned[2] > 0.1


def test_some_products_are_bought_together(store: duckdb.DuckDBPyConnection) -> None:
    sessions, lift = one(
        store,
        """
        with bought as (select distinct user_session as s, product_id as p from events
                        where event_type = 'purchase' and user_session is not null),
            sold as (select p, count(*) as n from bought group by 1)
        select count(*), count(*) * (select count(distinct s) from bought) / (any_value(x.n) * any_value(y.n))
        from bought a join bought b on a.s = b.s and a.p < b.p join sold x on x.p = a.p join sold y on y.p = b.p
        group by a.p, b.p order by 1 desc limit 1
        """,
    )
    assert sessions >= 15
    assert lift > 3


def test_a_few_sessions_are_robots(store: duckdb.DuckDBPyConnection) -> None:
    (robots,) = one(
        store,
        """
        select count(*) from (
            select user_session from events where user_session is not null group by 1
            having count(*) >= 100 and count(*) * 60 / epoch(max(moment) - min(moment)) > 30
        )
        """,
    )
    assert 8 <= robots <= 15


def test_brands_have_a_long_tail(store: duckdb.DuckDBPyConnection) -> None:
    brands, top_share = one(
        store,
        """
        select count(*), sum(n) filter (rank <= 5) / sum(n) from (
            select count(*) as n, row_number() over (order by count(*) desc) as rank
            from events where brand is not null group by brand)
        """,
    )
    assert brands > 1_000
    assert top_share > 0.35


def test_rows_are_in_time_order_and_within_the_span() -> None:
    data = b"".join(generate(Settings(events=150_000, seed=1, days=3, start=date(2020, 2, 28))))
    times = [row[:19] for row in data.splitlines()[1:]]
    assert len(times) == 150_000
    assert times == sorted(times)
    assert {time[:10] for time in times} == {b"2020-02-28", b"2020-02-29", b"2020-03-01"}


@pytest.mark.parametrize("events", [0, 1, 2, 3, 10, 1_000, 70_000])
def test_any_number_of_rows_is_met_exactly(events: int) -> None:
    generation = generate(Settings(events=events, seed=5, days=2))
    rows = b"".join(generation).splitlines()
    assert rows[0] == HEADER
    assert len(rows) == events + 1
    assert generation.summary.rows == events


def test_a_chunk_ends_where_a_row_ends() -> None:
    for chunk in generate(Settings(events=140_000, seed=2, crlf=True)):
        assert chunk.endswith(b"\r\n")
        assert chunk.count(b"\n") == chunk.count(b"\r\n")


def test_the_header_can_be_left_out() -> None:
    with_header = b"".join(generate(Settings(events=500)))
    assert HEADER + b"\n" + b"".join(generate(Settings(events=500, header=False))) == with_header


def test_another_seed_gives_another_store() -> None:
    assert b"".join(generate(Settings(1_000, seed=1))) != b"".join(generate(Settings(1_000, seed=2)))


def digest(environment: dict[str, str]) -> str:
    code = (
        "import hashlib; from app.events.generator import *;"
        "print(hashlib.sha256(b''.join(generate(Settings(150_000, seed=7, bad=0.01)))).hexdigest())"
    )
    return run(code, environment)


def run(code: str, environment: dict[str, str] | None = None) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (environment or {}),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.mark.integration
def test_the_same_seed_gives_the_same_bytes_with_and_without_the_processor_s_vector_instructions() -> None:
    vectors = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    if not vectors:
        pytest.skip("unavoidable: numpy finds no vector instructions here that could be switched off")
    here = hashlib.sha256(b"".join(generate(Settings(150_000, seed=7, bad=0.01)))).hexdigest()
    assert digest({}) == here
    assert digest({"NPY_DISABLE_CPU_FEATURES": " ".join(vectors)}) == here


@pytest.mark.integration
def test_memory_does_not_grow_with_the_number_of_events() -> None:
    code = (
        "import resource; from app.events.generator import *\nfor _ in generate(Settings({}, seed=7)): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    small, large = (int(run(code.format(events))) for events in (200_000, 2_000_000))
    assert large < small * 1.25


def test_the_summary_is_refused_before_the_end() -> None:
    generation = generate(Settings(events=1_000))
    next(generation)
    with pytest.raises(RuntimeError, match="read the generation to its end"):
        _ = generation.summary


@pytest.mark.parametrize(
    ("setting", "value"),
    [("events", -1), ("seed", -1), ("days", 0), ("days", 5_000), ("bad", 0.95), ("bad", -0.1)],
)
def test_a_setting_out_of_range_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{setting} is {value}: it must be .* for example"):
        Settings(**({"events": 10} | {setting: value}))  # type: ignore[arg-type]
