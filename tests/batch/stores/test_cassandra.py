"""What the Cassandra store holds and answers after loads into a real server, against the events themselves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.batch import session_shares
from app.batch.errors import BatchError, StoreBusyError, StoreError
from app.batch.ingest import Ingested
from app.batch.session_shares import by_share, write_shares
from app.batch.settings import Settings as BatchSettings
from app.batch.spark_session import spark_session
from app.batch.stores import Run, Stored
from app.batch.stores.cassandra import CassandraSettings, CassandraStore, Shop
from app.batch.stores.cassandra.schema import CREATE_STATE, STEPS, VERSION
from app.batch.stores.cassandra.session import connected
from app.batch.stores.cassandra.visits import MAX_EVENTS
from app.events.generator import Settings, generate
from app.events.ledger import LedgerError
from app.local.cassandra import CassandraServer, cassandra_server
from app.local.emulators import environment
from app.local.java import get_java
from tests.batch.stores.cassandra_loads import (
    content,
    fill,
    ledger_of,
    load,
    opened,
    settings_of,
    shown,
    slot_of,
    stage,
)
from tests.batch.stores.redis_loads import Here, csv_rows

pytestmark = pytest.mark.integration

TABLES = ("visits", "sessions", "product_days", "bad_events")
LONG = "x" * 9_990 + "\U0001f6d2" * 10
NAMES = ["o'neill", 'a "quoted" name', "\U0001f600 \U00020000", "back\\slash", "%s;--", "  two spaces ", LONG]


@pytest.fixture(scope="module")
def server() -> Iterator[CassandraServer]:
    with cassandra_server() as running:
        yield running


@pytest.fixture(scope="module")
def settings(server: CassandraServer) -> CassandraSettings:
    return settings_of(server)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    """Events of two months."""
    data = b"".join(generate(Settings(events=20_000, seed=5, days=3, start=date(2019, 10, 30), bad=0.01)))
    return stage(tmp_path_factory.mktemp("staged"), data)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, pa.Table]:
    """Other days and other products."""
    data = b"".join(generate(Settings(events=2_000, seed=6, days=2, start=date(2019, 12, 30))))
    return stage(tmp_path_factory.mktemp("other"), data)


def asked(events: pa.Table, sql: str) -> pa.Table:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("events", events)
        return database.sql(sql).to_arrow_table()


def rows(events: pa.Table, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in asked(events, sql).to_pylist()]


def test_every_read_gives_what_the_events_say(settings: CassandraSettings, staged: tuple[Ingested, pa.Table]) -> None:
    ingested, events = staged
    load(settings, ingested)
    busiest = "SELECT {0} FROM events WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 40"
    with Shop(settings) as shop:
        assert shop.run().stored == len(events) == shown(settings)
        assert (shop.run().first_day, shop.run().last_day) == (date(2019, 10, 30), date(2019, 11, 1))
        for (user,) in rows(events, busiest.format("user_id")):
            newest = asked(events, f"SELECT * FROM events WHERE user_id = {user} ORDER BY event_time DESC, event_id")
            assert shop.events_of_user(user).equals(newest.cast(events.schema))
            assert sum(shop.visits_of_user(user)["event_count"].to_pylist()) == len(newest)
        for (session,) in rows(events, busiest.format("user_session")):
            own = f"SELECT * FROM events WHERE user_session = '{session}' ORDER BY event_time, event_id"
            assert shop.events_of_session(session).equals(asked(events, own).cast(events.schema))
        for (product,) in rows(events, busiest.format("product_id")):
            by_day = rows(
                events,
                f"""SELECT CAST(event_time AS DATE), {
                    ", ".join(
                        f"count(*) FILTER (event_type = '{name}')"
                        for name in ("view", "cart", "remove_from_cart", "purchase")
                    )
                },
                CAST(coalesce(sum(price) FILTER (event_type = 'purchase'), 0) AS DECIMAL(18, 2))
                FROM events WHERE product_id = {product} GROUP BY 1 ORDER BY 1 DESC""",
            )
            assert [tuple(row.values()) for row in shop.activity_of_product(product).to_pylist()] == by_day
        assert len(shop.bad_events("events.csv", 1, 30_000)) == ledger_of(ingested).bad > 0
        assert shop.bad_events("events.csv", 1, 30_000)["source"].unique().to_pylist() == ["events.csv"]


def test_executors_write_what_one_process_writes(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table], tmp_path: Path
) -> None:
    load(settings, staged[0])
    by_one = {table: content(settings, table) for table in TABLES}
    job = BatchSettings(events=("-",), out=tmp_path, master="local[2]", memory="1g")
    with environment(get_java().environment), spark_session(job, tmp_path) as spark, opened(settings) as store:
        held = store.write_events(spark, staged[0])
        assert held == Stored(len(staged[1]), ledger_of(staged[0]).bad)
        store.write_ledger(ledger_of(staged[0]), staged[0], {"redis": "was down"})
        store.verify(ledger_of(staged[0]))
        store.commit()
    assert {table: content(settings, table) for table in TABLES} == by_one
    with Shop(settings) as shop:
        assert shop.run().not_loaded == {"redis": "was down"}


def test_what_is_written_in_many_steps_is_read_as_one(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingested, events = staged
    monkeypatch.setattr(session_shares, "MAX_EVENTS", 100)
    load(settings, ingested)
    assert shown(settings) == len(events)
    longest = (
        "SELECT user_session FROM events WHERE user_session IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 20"
    )
    with Shop(settings) as shop:
        for (session,) in rows(events, longest):
            own = f"SELECT * FROM events WHERE user_session = '{session}' ORDER BY event_time, event_id"
            assert shop.events_of_session(session).equals(asked(events, own).cast(events.schema))


def test_a_session_of_several_days_and_users_is_found_whole(settings: CassandraSettings, tmp_path: Path) -> None:
    begin = datetime(2019, 10, 31, 23, 50, tzinfo=UTC)
    times = [begin + timedelta(minutes=7 * step) for step in range(4)]
    lines = [
        (f"{when:%F %T} UTC", "view", step, 1, "", "", "1.00", 7 + step % 2, "long") for step, when in enumerate(times)
    ]
    ingested, events = stage(tmp_path, csv_rows(lines))
    load(settings, ingested)
    with Shop(settings) as shop:
        assert shop.events_of_session("long").equals(events.sort_by("event_time").cast(events.schema))
        since = datetime(2019, 11, 1, tzinfo=UTC)
        assert shop.events_of_user(7, since=since)["product_id"].to_pylist() == [2]
        assert shop.visits_of_user(8)["event_count"].to_pylist() == [1, 1]


def test_reads_keep_to_their_time_and_their_number(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table]
) -> None:
    ingested, events = staged
    load(settings, ingested)
    ((user,),) = rows(events, "SELECT user_id FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
    own = asked(events, f"SELECT * FROM events WHERE user_id = {user} ORDER BY event_time DESC, event_id")
    times = own["event_time"].to_pylist()
    since, until = times[-3], times[1]
    with Shop(settings) as shop:
        assert shop.events_of_user(user, limit=4).equals(own.slice(0, 4).cast(events.schema))
        found = shop.events_of_user(user, since=since, until=until)["event_time"].to_pylist()
        assert found == [when for when in times if since <= when < until]
        assert shop.events_of_user(user, since=datetime(2030, 1, 1, tzinfo=UTC)).num_rows == 0
        assert shop.events_of_user(1).num_rows == 0
        assert shop.events_of_session("none").num_rows == 0
        ((product,),) = rows(events, "SELECT product_id FROM events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
        november = shop.activity_of_product(product, since=date(2019, 11, 1))["day"].to_pylist()
        assert november == [date(2019, 11, 1)]


def test_strange_names_come_back_as_they_were(settings: CassandraSettings, tmp_path: Path) -> None:
    lines = [
        ("2019-10-01 00:00:00 UTC", "view", i, 2**62, f"a.b.{name[:200]}", name, "1.99", 7, f"{name[:300]}-{i}")
        for i, name in enumerate(NAMES)
    ]
    lines += [("2019-10-01 00:00:01.123456 UTC", "purchase", 99, 1, "", "", "9999999999.99", 7, "")]
    ingested, events = stage(tmp_path, csv_rows(lines))
    assert len(events) == len(lines)
    load(settings, ingested)
    newest = asked(events, "SELECT * FROM events ORDER BY event_time DESC, event_id").cast(events.schema)
    with Shop(settings) as shop:
        assert shop.events_of_user(7).equals(newest)
        for session in filter(None, newest["user_session"].to_pylist()):
            assert shop.events_of_session(session)["user_session"].to_pylist() == [session]


def test_events_without_a_session_are_visits_between_silences(settings: CassandraSettings, tmp_path: Path) -> None:
    begin = datetime(2019, 10, 1, tzinfo=UTC)
    seconds = [0, 10, 1_810, 3_611, 3_612]
    lines = [(f"{begin + timedelta(seconds=s):%F %T} UTC", "view", s, 1, "", "", "1.00", 7, "") for s in seconds]
    ingested, _ = stage(tmp_path, csv_rows(lines))
    whole = ingested.folder.below("events/event_date=2019-10-01")
    both = pa.concat_tables([whole.read_table(name) for name in whole.names()])
    for name in whole.names():
        whole.delete(name)
    write_shares(whole, "part.parquet", *by_share(both))
    load(settings, ingested)
    with Shop(settings) as shop:
        assert shop.visits_of_user(7)["event_count"].to_pylist() == [2, 3]
        assert shop.events_of_user(7).num_rows == 5


def test_a_visit_of_very_many_events_is_several_rows(settings: CassandraSettings, tmp_path: Path) -> None:
    lines = [("2019-10-01 00:00:00 UTC", "view", i, 1, "", "", "1.00", 7, "robot") for i in range(5 * MAX_EVENTS)]
    ingested, events = stage(tmp_path, csv_rows(lines))
    load(settings, ingested)
    with Shop(settings) as shop:
        assert max(shop.visits_of_user(7)["event_count"].to_pylist()) == MAX_EVENTS
        assert shop.events_of_user(7)["event_id"].to_pylist() == sorted(events["event_id"].to_pylist())
        assert shop.events_of_session("robot").num_rows == len(events)


def test_a_load_leaves_what_it_holds_alone(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, staged[0])
    first = {table: content(settings, table) for table in TABLES}
    load(settings, staged[0])
    assert {table: content(settings, table) for table in TABLES} == first
    load(settings, other[0])
    assert shown(settings) == len(other[1])
    assert not content(settings, "bad_events")
    load(settings, staged[0])
    assert {table: content(settings, table) for table in TABLES} == first


def test_nothing_of_a_run_is_seen_before_its_commit(
    settings: CassandraSettings, staged: tuple[Ingested, pa.Table], other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, other[0])
    with opened(settings) as store:
        fill(store, staged[0])
        assert shown(settings) == len(other[1])
    assert shown(settings) == len(other[1])
    with Shop(settings) as shop:
        assert shop.events_of_user(staged[1]["user_id"][0].as_py()).num_rows == 0


def test_a_second_run_at_the_same_time_says_so(settings: CassandraSettings, other: tuple[Ingested, pa.Table]) -> None:
    load(settings, other[0])
    first = Run.begin()
    with opened(settings, first), pytest.raises(StoreBusyError, match=first.id), opened(settings):
        pass
    load(settings, other[0])


def test_rows_that_the_server_lost_are_written_again(
    settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    lost: list[object] = []

    def lose(task: int) -> None:
        if task == 3 and not lost:
            with connected(settings) as session:
                hidden = "ab"[slot_of(session) == "a"]
                lost.append(session.ask(f"TRUNCATE visits_{hidden}"))

    load(settings, other[0], Here(before=lose))
    assert lost
    assert shown(settings) == len(other[1])


def test_a_ledger_that_differs_from_what_is_held_is_an_error(
    settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    with opened(settings) as store:
        fill(store, other[0])
        wrong = replace(ledger_of(other[0]), stored=len(other[1]) + 1)
        store.write_ledger(wrong, other[0], {})
        with pytest.raises(LedgerError, match=f"visit_events={len(other[1])}, "):
            store.verify(wrong)


@pytest.mark.parametrize("version", range(1, VERSION))
def test_tables_of_an_older_version_are_brought_up_to_date(
    server: CassandraServer, settings: CassandraSettings, other: tuple[Ingested, pa.Table], version: int
) -> None:
    with connected(settings) as session:
        for table in session.ask("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'shop'"):
            session.ask(f"DROP TABLE {table['table_name']}")
        for type_ in ("visit", "visit_summary", "visit_place", "event"):  # what is made of others comes first
            session.ask(f"DROP TYPE IF EXISTS {type_}")
        session.ask(CREATE_STATE)
        for statement in chain.from_iterable(STEPS[:version]):
            session.ask(statement)
        session.ask("CREATE TYPE visit_summary (ended timestamp)")
        for name in ("visits_a", "visits_b"):  # much as they were before the last step
            columns = "user_id bigint, month int, summary frozen<visit_summary>"
            session.ask(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ((user_id, month)))")
        session.ask(f"INSERT INTO state (name, version, slot, run) VALUES ('shop', {version}, 'a', 'before')")
    with opened(settings), Shop(settings) as shop, pytest.raises(BatchError, match="nothing is loaded yet"):
        shop.events_of_user(1)
    load(settings, other[0])
    assert shown(settings) == len(other[1])
    with connected(settings) as session:
        assert session.ask("SELECT version FROM state")[0]["version"] == VERSION


def test_tables_of_a_newer_version_are_left_alone(
    settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    load(settings, other[0])
    with connected(settings) as session:
        session.ask("UPDATE state SET version = 99 WHERE name = 'shop'")
        try:
            with pytest.raises(StoreError, match="version 99, and this program knows"), opened(settings):
                pass
            assert shown(settings) == len(other[1])
        finally:
            session.ask(f"UPDATE state SET version = {VERSION} WHERE name = 'shop'")


def test_files_are_put_together_after_the_load_also_where_it_was_killed_before_that(
    server: CassandraServer, settings: CassandraSettings, other: tuple[Ingested, pa.Table]
) -> None:
    def compacts(slot: str) -> set[str]:
        with connected(settings) as session:
            tables = session.ask("SELECT table_name, compaction FROM system_schema.tables WHERE keyspace_name = 'shop'")
        found = {table["table_name"]: dict(table["compaction"]).get("enabled", "true") for table in tables}
        return {found[f"{table}_{slot}"] for table in TABLES}

    load(settings, other[0])
    with connected(settings) as session:
        slot = slot_of(session)
        assert compacts(slot) == {"true"}
        for table in TABLES:
            off = "{'class': 'UnifiedCompactionStrategy', 'enabled': 'false'}"
            session.ask(f"ALTER TABLE {table}_{slot} WITH compaction = {off}")
    with opened(settings) as store:
        assert compacts(slot) == {"true"}
        fill(store, other[0])
        assert compacts("b" if slot == "a" else "a") == {"false"}


def test_rows_expire_where_that_is_asked_for(settings: CassandraSettings, other: tuple[Ingested, pa.Table]) -> None:
    load(replace(settings, ttl_days=3), other[0])
    with connected(settings) as session:
        (row,) = session.ask(f"SELECT ttl(visit) AS seconds FROM visits_{slot_of(session)} LIMIT 1")
        assert 2 * 86_400 < row["seconds"] <= 3 * 86_400
    for _ in range(2):  # either slot
        load(settings, other[0])
        with connected(settings) as session:
            (row,) = session.ask(f"SELECT ttl(visit) AS seconds FROM visits_{slot_of(session)} LIMIT 1")
        assert row["seconds"] is None


def test_a_keyspace_without_a_load_says_so(settings: CassandraSettings) -> None:
    with connected(settings) as session:
        session.ask("DELETE slot, run FROM state WHERE name = 'shop'")
    with Shop(settings) as shop, pytest.raises(BatchError, match="nothing is loaded yet"):
        shop.run()


def test_a_store_is_made_from_the_environment(server: CassandraServer) -> None:
    assert isinstance(CassandraStore.from_environment(server.environment), CassandraStore)
