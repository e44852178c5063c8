"""The MySQL store against a real server, filled by real Spark."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.batch.errors import StoreBusyError, StoreError
from app.batch.stores import Run
from app.batch.stores.mysql import MysqlStore
from app.batch.stores.mysql import server as connecting
from app.batch.stores.mysql.tables import TABLES
from app.events.generator import Settings as Generated
from app.events.generator import generate
from app.events.ledger import Ledger, LedgerError
from app.local.mysql import MysqlServer, mysql_server
from app.local.mysql_program import Maker
from tests.batch.stores.mysql_loads import Load, ask, fill, load, of, prepared, settings_of, shown, spark_here
from tests.local.mysql_makers import maker_of

pytestmark = pytest.mark.integration

LONG = "b" * 10_000
NAMES = ('it\'s "quoted"', "Apple", "apple", "apple ", "👍 émoji 字", "tab\there", "back\\slash", "\\N", "NULL", LONG)


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


@pytest.fixture(scope="module", params=Maker)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with mysql_server(maker_of(request)) as running:
        yield running


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with spark_here(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Load:
    data = b"".join(generate(Generated(events=20_000, seed=3, days=3, bad=0.2, header=False)))
    return prepared(tmp_path_factory.mktemp("generated"), data)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Load:
    rows = [
        f"2019-10-01 {number:02d}:00:00 UTC,{kind},{number},1,a.b,{quoted(name)},1.10,{number},s{number}\n"
        for number, name in enumerate(NAMES)
        for kind in ("view", "cart", "purchase")
    ]
    return prepared(tmp_path_factory.mktemp("named"), "".join(rows).encode())


def test_each_table_holds_what_an_independent_calculation_finds(
    server: MysqlServer, spark: Any, generated: Load
) -> None:
    load(settings_of(server), spark, generated)
    held, wanted = shown(server), of(generated)
    assert held.keys() == wanted.keys()
    for name, rows in wanted.items():
        assert held[name] == rows, name
    assert ask(server, "SELECT * FROM shop.loads WHERE `rows` > 0 AND seconds > 0")
    assert generated.ledger.bad > 0


def test_real_rows_are_held_as_an_independent_calculation_finds_them(
    server: MysqlServer, spark: Any, tmp_path: Path
) -> None:
    folder = Path(__file__).parents[4] / "shared" / "data"
    files = sorted(folder.glob("rees46-*.csv.gz"))
    if not files:
        pytest.skip(f"unavoidable: no real rows in {folder}")
    for number, file in enumerate(files):
        real = prepared(tmp_path / str(number), gzip.decompress(file.read_bytes()).partition(b"\n")[2])
        load(settings_of(server), spark, real)
        assert shown(server) == of(real)


def test_no_events_are_empty_tables_and_a_run_without_times(server: MysqlServer, spark: Any, tmp_path: Path) -> None:
    empty = prepared(tmp_path / "empty", b"")
    load(settings_of(server), spark, empty)
    assert ask(server, "SELECT first_event, last_event FROM shop.runs ORDER BY run DESC LIMIT 1") == [(None, None)]
    for table in ("activity", "visitors", "brands", "top_brands", "bad_events"):
        assert ask(server, f"SELECT COUNT(*) FROM shop.{table}") == [(0,)]


def test_names_that_differ_in_any_byte_stay_different(server: MysqlServer, spark: Any, named: Load) -> None:
    load(settings_of(server), spark, named)
    assert shown(server) == of(named)
    assert {brand for (brand,) in ask(server, "SELECT brand FROM shop.brands")} == set(NAMES)
    assert {brand for (brand,) in ask(server, "SELECT brand FROM shop.top_brands")} == set(NAMES)
    assert ask(server, "SELECT COUNT(*) FROM shop.activity WHERE brand = 'apple'") == [(3,)]


def test_a_second_load_leaves_the_same_and_the_first_ones_ledger(
    server: MysqlServer, spark: Any, generated: Load
) -> None:
    load(settings_of(server), spark, generated)
    before, runs = shown(server), len(ask(server, "SELECT run FROM shop.runs"))
    load(settings_of(server), spark, generated)
    assert shown(server) == before
    assert len(ask(server, "SELECT run FROM shop.runs")) == runs + 1
    for table in ("ledger", "sources", "runs", "loads"):
        assert ask(server, f"SELECT COUNT(DISTINCT run) FROM shop.{table}") == [(runs + 1,)]


def test_a_range_of_time_is_read_by_its_key(server: MysqlServer, generated: Load) -> None:
    assert generated.ledger.stored
    for table in ("activity", "visitors"):
        plan = ask(
            server,
            f"EXPLAIN SELECT time, SUM({'events' if table == 'activity' else 'sessions'}) FROM shop.{table} "
            "WHERE time BETWEEN '2019-10-02 06:00:00' AND '2019-10-02 07:00:00' GROUP BY time",
        )
        assert "PRIMARY" in str(plan), plan
        assert "range" in str(plan), plan


def test_readers_see_one_run_or_the_other_whole_and_nothing_that_was_not_committed(
    server: MysqlServer, spark: Any, generated: Load, named: Load
) -> None:
    load(settings_of(server), spark, generated)
    first = shown(server)
    for what, commit in ((named, False), (named, True)):
        store = MysqlStore(settings_of(server))
        store.open(Run.begin())
        fill(store, spark, what)
        with server.connect(server.grafana) as reader, reader.cursor() as cursor:
            cursor.execute("SELECT `stored` FROM shop.ledger ORDER BY run DESC LIMIT 1")
            ((before,),) = cursor.fetchall()
            cursor.execute("SELECT SUM(events) FROM shop.activity")
            assert cursor.fetchall() == ((before,),)
            store.verify(what.ledger)
            if not commit:
                store.close()
                assert shown(server) == first
                assert ask(server, "SHOW TABLES FROM shop_staging", "loader") == []
                continue
            store.commit()
            cursor.execute(
                "SELECT (SELECT SUM(events) FROM shop.activity), (SELECT SUM(events) FROM shop.event_types), "
                "(SELECT `stored` FROM shop.ledger ORDER BY run DESC LIMIT 1)"
            )
            assert cursor.fetchall() == ((what.ledger.stored,) * 3,)
        store.close()


def test_a_second_run_at_the_same_time_is_told_of_the_first(server: MysqlServer, spark: Any, named: Load) -> None:
    first, second = MysqlStore(settings_of(server)), MysqlStore(settings_of(server))
    first.open(Run.begin())
    try:
        with pytest.raises(StoreBusyError, match="another run is writing to shop of MySQL at"):
            second.open(Run.begin())
        second.close()
        fill(first, spark, named)
        first.verify(named.ledger)
        first.commit()
    finally:
        first.close()
    assert shown(server) == of(named)


def test_a_store_that_holds_something_else_than_the_ledger_fails(server: MysqlServer, spark: Any, named: Load) -> None:
    store = MysqlStore(settings_of(server))
    run = Run.begin()
    store.open(run)
    try:
        fill(store, spark, named)
        with pytest.raises(LedgerError, match="but the run's ledger is"):
            store.verify(Ledger(named.ledger.read + 1, named.ledger.stored + 1, 0, 0))
        ask(server, f"UPDATE shop_staging.`visitors-{run.id.lower()}` SET started = started + 1 LIMIT 1", "root")
        with pytest.raises(LedgerError, match=r"visitors of MySQL at .* counts 11 sessions, but there are 10"):
            store.verify(named.ledger)
        ask(server, f"UPDATE shop_staging.`visitors-{run.id.lower()}` SET started = started - 1 LIMIT 1", "root")
        ask(server, f"DELETE FROM shop_staging.`activity-{run.id.lower()}` LIMIT 1", "root")
        with pytest.raises(LedgerError, match="holds 29 events"):
            store.verify(named.ledger)
        store._loaded.pop("top_brands")
        ask(server, f"UPDATE shop_staging.`activity-{run.id.lower()}` SET events = 2 LIMIT 1", "root")
        with pytest.raises(LedgerError, match="was not given top_brands"):
            store.verify(named.ledger)
    finally:
        store.close()


def test_a_run_whose_tables_another_one_cleared_is_not_taken_for_shown(
    server: MysqlServer, spark: Any, generated: Load, named: Load
) -> None:
    load(settings_of(server), spark, generated)
    before = shown(server)
    first, second = MysqlStore(settings_of(server)), MysqlStore(settings_of(server))
    first.open(Run.begin())
    try:
        fill(first, spark, named)
        first.verify(named.ledger)
        assert first._session.connection
        ask(server, f"KILL {first._session.connection.thread_id()}", "root")
        second.open(Run.begin())
        second.close()
        with pytest.raises(StoreError, match="has lost what this run loaded"):
            first.commit()
        with pytest.raises(StoreError, match="has lost what this run loaded"):
            first.write_ledger(named.ledger, named.ingested, {"redis": "down"})
        with pytest.raises(StoreError, match="has lost what this run loaded"):  # of which some tables are there again
            first.commit()
    finally:
        first.close()
    assert shown(server) == before


def test_a_run_may_be_silent_for_longer_than_servers_and_firewalls_wait(server: MysqlServer) -> None:
    ask(server, "SET GLOBAL wait_timeout = 2", "root")
    first, second = MysqlStore(settings_of(server)), MysqlStore(settings_of(server))
    try:
        first.open(Run.begin())
        assert first._session.connection
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert first._session.connection._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 600
        time.sleep(4)
        with pytest.raises(StoreBusyError):
            second.open(Run.begin())
    finally:
        first.close()
        second.close()
        ask(server, "SET GLOBAL wait_timeout = DEFAULT", "root")


def test_an_answer_may_take_longer_than_letting_in(server: MysqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_CONNECT_SECONDS", 4)
    connection = connecting.connect(settings_of(server))
    assert connecting.run(connection, "SELECT SLEEP(5)") == [(0,)]
    connection.close()


def test_a_server_that_greets_and_then_says_nothing_is_not_waited_for_as_for_an_answer(
    server: MysqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_CONNECT_SECONDS", 2)
    settings = settings_of(server, timeout_seconds=600, retry_seconds=0)
    with _greeting_alone(server) as port, pytest.raises(StoreError, match="does not answer"):
        MysqlStore(replace(settings, port=port)).open(Run.begin())


@contextmanager
def _greeting_alone(server: MysqlServer) -> Iterator[int]:
    """A port at which the server's greeting is to be had, with its offer of TLS, and nothing more."""
    with socket.create_server((server.host, 0)) as listening:

        def greet() -> None:
            client, _ = listening.accept()
            with client, socket.create_connection((server.host, server.port)) as behind:
                client.sendall(behind.recv(4096))
                while client.recv(4096):
                    pass

        greeter = threading.Thread(target=greet)
        greeter.start()
        yield listening.getsockname()[1]
        greeter.join()


def test_tables_of_an_older_version_are_replaced_and_their_runs_kept(
    server: MysqlServer, spark: Any, named: Load
) -> None:
    load(settings_of(server), spark, named)
    for statement in (
        "DROP TABLE shop.top_brands, shop.runs, shop.ledger",
        "CREATE TABLE shop.top_brands (brand VARCHAR(50), sold INT)",
        "CREATE TABLE shop.runs (run VARCHAR(30), started_at DATETIME, host TEXT)",
        "INSERT INTO shop.runs VALUES ('20191001T000000-abcdef', '2019-10-01', 'old')",
        "CREATE TABLE shop.ledger (run VARCHAR(30), `stored` INT)",
        "INSERT INTO shop.ledger VALUES ('20191001T000000-abcdef', 7)",
        "CREATE TABLE shop.gone (x INT) COMMENT = 'shop batch: a question that is no more'",
        "CREATE TABLE shop.foreign_table (x INT)",
    ):
        ask(server, statement, "loader")
    load(settings_of(server), spark, named)
    assert shown(server) == of(named)
    old = "WHERE run = '20191001T000000-abcdef'"
    assert ask(server, f"SELECT YEAR(started_at), seconds, first_event FROM shop.runs {old}") == [(2019, 0.0, None)]
    assert ask(server, f"SELECT `stored`, `read` FROM shop.ledger {old}") == [(7, 0)]
    tables = {name for (name,) in ask(server, "SHOW TABLES FROM shop")}
    assert tables == {*TABLES, "foreign_table"}
    ask(server, "DROP TABLE shop.foreign_table", "loader")
