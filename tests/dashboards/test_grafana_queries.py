"""Every query of every panel and variable, as Grafana asks it, against the real servers with events loaded."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pymysql
import pytest
from redis import Redis

from app.batch.stores.cassandra.session import connected
from app.events.csv_codec import HEADER
from app.events.generator import Settings as Generated
from app.events.generator import generate
from app.local.cassandra import CassandraServer, cassandra_server
from app.local.mysql import MysqlServer, mysql_server
from app.local.mysql_program import Maker
from app.local.redis import RedisServer, redis_server
from tests.batch.stores import cassandra_loads, mysql_loads, redis_loads
from tests.dashboards.grafana_asked import Asked, dashboards, panels, variables
from tests.local.mysql_makers import maker_of

pytestmark = pytest.mark.integration

FIRST, LAST = datetime(2019, 10, 1, tzinfo=UTC), datetime(2019, 10, 4, tzinfo=UTC)
BOT = 4711
BRANDS = (
    *('it\'s "quoted"', "👍 字", "a`b", "$brand", "(all", "x" * 300),
    *("back\\slash", "ends in one\\", "\\') UNION SELECT 1 -- ", "\\', '(all)') OR ''='"),
)
PANELS = [(uid, panel) for uid, dashboard in dashboards().items() for panel in panels(dashboard)]
MYSQL = [
    pytest.param(uid, panel, id=f"{uid}: {panel['title']}")
    for uid, panel in PANELS
    if panel["datasource"]["type"] == "mysql"
]
REDIS = [
    pytest.param(panel, id=f"{uid}: {panel['title']}")
    for uid, panel in PANELS
    if panel["datasource"]["type"] == "redis-datasource"
]


@pytest.fixture(scope="module")
def events() -> bytes:
    """Generated events, bad rows, and brands of names that are hard to quote, without a header."""
    data = b"".join(generate(Generated(events=20_000, seed=3, days=3, bad=0.01, header=False)))
    quoted = ('"' + brand.replace('"', '""') + '"' for brand in BRANDS)
    named = [
        f"2019-10-02 1{number}:00:00 UTC,{kind},{number},1,a.b,{brand},1.10,{number},s{number}\n"
        for number, brand in enumerate(quoted)
        for kind in ("view", "cart", "purchase")
    ]
    bot = [f"2019-10-03 12:{at // 60:02d}:{at % 60:02d} UTC,view,{at},1,a.b,,1.10,{BOT},bot\n" for at in range(1_200)]
    return data + "".join(named + bot).encode()


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with mysql_loads.spark_here(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module", params=Maker)
def mysql(
    request: pytest.FixtureRequest, spark: Any, events: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MysqlServer]:
    with mysql_server(maker_of(request)) as server:
        what = mysql_loads.prepared(tmp_path_factory.mktemp("mysql"), events)
        mysql_loads.load(mysql_loads.settings_of(server), spark, what)
        yield server


@pytest.fixture(scope="module", params=Maker)
def empty_mysql(
    request: pytest.FixtureRequest, spark: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MysqlServer]:
    with mysql_server(maker_of(request)) as server:
        what = mysql_loads.prepared(tmp_path_factory.mktemp("empty"), b"")
        mysql_loads.load(mysql_loads.settings_of(server), spark, what)
        yield server


@pytest.fixture(scope="module")
def redis(events: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    folder = tmp_path_factory.mktemp("redis")
    with redis_server() as server:
        ingested, table = redis_loads.stage(folder, HEADER + b"\n" + events)
        redis_loads.load(redis_loads.settings_of(server), ingested, table)
        yield server


@pytest.fixture(scope="module")
def cassandra(events: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CassandraServer]:
    with cassandra_server() as server:
        ingested, _ = cassandra_loads.stage(tmp_path_factory.mktemp("cassandra"), HEADER + b"\n" + events)
        cassandra_loads.load(cassandra_loads.settings_of(server), ingested)
        yield server


def ask(server: MysqlServer, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows, read as the user of Grafana."""
    with server.connect(server.grafana) as connection, connection.cursor() as cursor:
        cursor.execute("USE shop")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(sql)
        return [column[0] for column in cursor.description], list(cursor.fetchall())


def asked(server: MysqlServer, uid: str, **chosen: Sequence[str]) -> Asked:
    """A dashboard's time range and variables, each at All unless chosen, with the options that the server gives."""
    all_of_it = dashboards()[uid]
    found = Asked(FIRST, LAST, {}, {}, {})
    options: dict[str, list[str]] = {}
    for variable in variables(all_of_it):
        if variable["datasource"]["type"] != "mysql":
            options[variable["name"]] = ["a"]
            continue
        names, rows = ask(server, found.sql(variable["query"]))
        assert len(names) == 1
        options[variable["name"]] = [str(row[0]) for row in rows]
    at: dict[str, Sequence[str]] = {
        variable["name"]: ["$__all"] if variable.get("includeAll") else options[variable["name"]][:1] or [""]
        for variable in variables(all_of_it)
    }
    at |= {name: [value] for name, value in _sources(all_of_it).items()}
    all_values = {variable["name"]: variable.get("allValue", "") for variable in variables(all_of_it)}
    return Asked(FIRST, LAST, at | chosen, options, all_values)


def _sources(dashboard: Mapping[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["current"]["value"] for variable in variables(dashboard, "datasource")}


def check_shape(panel: Mapping[str, Any], names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """The rows are what the kind of panel can draw."""
    assert len(names) == len(set(names))
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    kinds = {name: {type(value) for value in values} - {type(None)} for name, values in columns.items()}
    numbers = [name for name, kind in kinds.items() if kind <= {int, float, Decimal}]
    match panel["type"]:
        case "timeseries":
            assert names[0] == "time"
            assert kinds["time"] <= {int, datetime}
            assert None not in columns["time"]
            assert list(columns["time"]) == sorted(columns["time"])
            assert set(names[1:]) - {"metric"} <= set(numbers)
            if "metric" in names:
                assert len(names) == 3, "Grafana names series by `metric` only where there is one other column"
        case "stat":
            assert (len(names), numbers) == (1, names)
            assert len(rows) <= 1
        case "bargauge":
            assert numbers == list(names)
            assert len(rows) == 1
        case "barchart" | "piechart":
            label = panel["options"].get("xField", names[0])
            assert kinds[label] <= {str}
            assert None not in columns[label]
            assert [name for name in names if name != label] == [name for name in numbers if name != label]
            assert len(set(columns[label])) == len(rows)
        case "table":
            overridden = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
            assert overridden <= set(names)
            for one in panel.get("transformations", []):
                assert {one["options"]["rowField"], one["options"]["columnField"], one["options"]["valueField"]} == set(
                    names
                )
        case other:
            raise AssertionError(f"no shape is known of {other}")


@pytest.mark.parametrize(("uid", "panel"), MYSQL)
def test_a_panel_gets_rows_of_its_shape(mysql: MysqlServer, uid: str, panel: dict[str, Any]) -> None:
    names, rows = ask(mysql, asked(mysql, uid).sql(panel["targets"][0]["rawSql"]))
    check_shape(panel, names, rows)
    if panel["title"] not in ("Rate of runs", "Stores that were not loaded"):
        assert rows, "nothing to draw, although events are loaded"


@pytest.mark.parametrize(("uid", "panel"), MYSQL)
def test_a_panel_of_an_empty_store_is_no_error(empty_mysql: MysqlServer, uid: str, panel: dict[str, Any]) -> None:
    names, rows = ask(empty_mysql, asked(empty_mysql, uid).sql(panel["targets"][0]["rawSql"]))
    check_shape(panel, names, rows)


@pytest.mark.parametrize("brand", BRANDS)
def test_a_name_that_is_hard_to_quote_filters_to_its_own_events(mysql: MysqlServer, brand: str) -> None:
    query = panel_of("shop-overview", "Events")["targets"][0]["rawSql"]
    assert ask(mysql, asked(mysql, "shop-overview", brand=[brand]).sql(query))[1] == [(3,)]
    both = asked(mysql, "shop-overview", brand=[brand, "no such brand"], event=["view", "cart"])
    assert ask(mysql, both.sql(query))[1] == [(2,)]


def test_the_filters_and_the_time_range_act_together(mysql: MysqlServer) -> None:
    sql = panel_of("shop-overview", "Events")["targets"][0]["rawSql"]
    everything = asked(mysql, "shop-overview")
    ((loaded,),) = ask(mysql, "SELECT `stored` FROM ledger")[1]
    assert ask(mysql, everything.sql(sql))[1] == [(loaded,)]
    ((one,),) = ask(mysql, asked(mysql, "shop-overview", category=["electronics"], event=["view"]).sql(sql))[1]
    ((same,),) = ask(
        mysql, "SELECT SUM(events) FROM activity WHERE department = 'electronics' AND event_type = 'view'"
    )[1]
    assert 0 < one == same < loaded
    hour = Asked(
        FIRST + timedelta(hours=10),
        FIRST + timedelta(hours=11) - timedelta(seconds=1),
        everything.chosen,
        {},
        everything.all_values,
    )
    ((in_hour,),) = ask(mysql, hour.sql(sql))[1]
    ((same_hour,),) = ask(mysql, "SELECT SUM(events) FROM activity WHERE time = '2019-10-01 10:00:00'")[1]
    assert 0 < in_hour == same_hour < loaded


def test_the_link_to_all_that_is_loaded_holds_every_event(mysql: MysqlServer) -> None:
    sql = panel_of("shop-overview", "What is loaded")["targets"][0]["rawSql"]
    names, (row,) = ask(mysql, sql)
    found = dict(zip(names, row, strict=True))
    first, last = (datetime.fromtimestamp(int(found[name]) / 1_000, UTC) for name in ("from_ms", "to_ms"))
    everything = asked(mysql, "shop-overview")
    shown = Asked(first, last, everything.chosen, {}, everything.all_values)
    ((loaded,),) = ask(mysql, "SELECT `stored` FROM ledger")[1]
    assert ask(mysql, shown.sql(panel_of("shop-overview", "Events")["targets"][0]["rawSql"]))[1] == [(loaded,)]


def test_bad_events_are_read_as_text_also_where_they_are_none(mysql: MysqlServer) -> None:
    names, rows = ask(mysql, panel_of("shop-pipeline", "Examples of bad events")["targets"][0]["rawSql"])
    received = [dict(zip(names, row, strict=True)) for row in rows]
    assert "invalid_utf8" in {one["reason"] for one in received}
    assert all(one["received"] or not one["bytes"] for one in received)


def test_the_user_of_grafana_can_only_read(mysql: MysqlServer) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        ask(mysql, "DELETE FROM activity")


@pytest.mark.parametrize("panel", REDIS)
def test_a_panel_of_redis_gets_names_and_numbers(redis: RedisServer, panel: dict[str, Any]) -> None:
    (target,) = panel["targets"]
    with redis_loads.client_of(redis) as client:
        found = _redis(client, target)
    assert found
    assert all(value >= 0 for value in found.values())
    if target["command"] == "zrange":
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert len(found) <= int(target["max"]) + 1
    else:
        assert sorted(found) == ["2019-10-01", "2019-10-02", "2019-10-03"]


def _redis(client: Redis, target: Mapping[str, Any]) -> dict[str, float]:
    """The command that the plugin sends, and the fields that it makes of the answer."""
    if target["command"] == "zrange":
        first, last, more = target["min"], target["max"], target["zrangeQuery"]
        answer: Any = client.execute_command("zrange", target["keyName"], first, last, more, "WITHSCORES")  # type: ignore[no-untyped-call]
        pairs = answer if isinstance(answer[0], (list, tuple)) else zip(answer[::2], answer[1::2], strict=True)
        return {str(name): float(score) for name, score in pairs}
    return {str(name): float(value) for name, value in client.hgetall(target["keyName"]).items()}


def panel_of(uid: str, title: str) -> dict[str, Any]:
    (found,) = (panel for panel in panels(dashboards()[uid]) if panel["title"] == title)
    return found


def test_the_path_of_a_user_has_each_visit_and_what_was_done_in_it(cassandra: CassandraServer) -> None:
    dashboard = dashboards()["shop-customers"]
    (query,) = (variable["query"] for variable in variables(dashboard) if variable["name"] == "slot")
    (target,) = panel_of("shop-customers", "Path of user $user, from Cassandra")["targets"]
    sources = {name: [value] for name, value in _sources(dashboard).items()}
    with connected(cassandra_loads.settings_of(cassandra)) as session:
        ((slot,),) = (row.values() for row in session.ask(query["query"]))
        chosen = {"user": [str(BOT)], "months": ["$__all"], "slot": [slot], **sources}
        at = Asked(FIRST, LAST, chosen, {"months": ["201909", "201910"]}, {"months": ""})
        visits = session.ask(at.cql(target["target"]))
        assert sum(visit["event_count"] for visit in visits) == 1_200
        assert {visit["user_id"] for visit in visits} == {BOT}
        assert all(visit["steps"].count("view") == visit["event_count"] for visit in visits)
        assert all(isinstance(visit["revenue"], float) and visit["revenue"] == 0 for visit in visits)
        early = Asked(FIRST, FIRST + timedelta(hours=1), chosen, {"months": ["201910"]}, {"months": ""})
        assert session.ask(early.cql(target["target"])) == []
        nobody = Asked(FIRST, LAST, chosen | {"user": ["0"]}, {"months": []}, {"months": ""})
        assert session.ask(nobody.cql(target["target"])) == []
