"""What each store's server holds, read from it as any client does, in a form that two runs of the same input share."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pymysql
import redis

from app.batch.stores.cassandra import CassandraSettings, Shop
from app.batch.stores.cassandra.schema import SESSIONS, STATE, TABLES, VISITS
from app.batch.stores.cassandra.session import connected
from app.batch.stores.cassandra.state import read_live
from app.batch.stores.mysql.tables import TABLES as MYSQL_TABLES
from app.local.cassandra import CassandraServer
from app.local.mysql import MysqlServer
from app.local.redis import RedisServer
from app.local.store_servers import StoreServer

Held = dict[str, Any]
_ONE_USER_IN: Final = 40


def mysql_holds(server: MysqlServer) -> Held:
    """The rows of every table but those that keep the history of runs."""
    with server.connect(server.root) as connection, connection.cursor() as cursor:
        found = {}
        for name, table in MYSQL_TABLES.items():
            if not table.history:
                cursor.execute(f"SELECT * FROM {server.database}.`{name}`")
                found[name] = sorted(cursor.fetchall(), key=repr)
        return found


def mysql_is_loading(server: MysqlServer) -> bool:
    """Whether a run has tables with rows that readers do not see yet."""
    with server.connect(server.root) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [f"{server.database}_staging"]
        )
        tables = [name for (name,) in cursor.fetchall()]
        for name in tables:
            try:
                cursor.execute(f"SELECT 1 FROM {server.database}_staging.`{name}` LIMIT 1")
            except pymysql.err.ProgrammingError:  # dropped meanwhile
                continue
            if cursor.fetchall():
                return True
    return False


def redis_holds(server: RedisServer) -> Held:
    """Every key that readers see but the one that names the run."""
    with _redis(server) as client:
        return {
            name: _value(client, name)
            for name in sorted(client.scan_iter("{shop}:*"))
            if name.split(":")[1] not in ("run", "lock", "loads", "load")
        }


def redis_is_loading(server: RedisServer) -> bool:
    """Whether a run has keys that readers do not see yet."""
    with _redis(server) as client:
        return any(client.scan_iter("{shop}:load:*day:*"))


def _redis(server: RedisServer) -> "redis.Redis":
    return redis.Redis(port=server.port, password=server.password, decode_responses=True)


def _value(client: Any, name: str) -> Any:
    match client.type(name):
        case "hash":
            return client.hgetall(name)
        case "zset":
            return client.zrange(name, 0, -1, withscores=True)
        case "set":
            return sorted(client.smembers(name))
        case _:
            return client.pfcount(name)


def cassandra_holds(server: CassandraServer) -> Held:
    """All rows but those of visits, whose cut is the run's own; of these their sums, and some users' events."""
    settings = CassandraSettings.from_environment(server.environment)
    with connected(settings) as session, Shop(settings) as shop:
        slot = read_live(session).slot
        if slot is None:
            return {}
        rows = {name: session.ask(f"SELECT * FROM {table.of(slot)}") for name, table in TABLES.items()}
        visits = rows.pop(VISITS)
        users = sorted({row["user_id"] for row in visits})
        rows.pop(SESSIONS)
        found: Held = {
            name: sorted(
                repr(sorted((key, value) for key, value in row.items() if key != "ingest_time")) for row in table
            )
            for name, table in rows.items()
        }
        found["visits"] = {
            "event_count": sum(row["visit"].event_count for row in visits),
            "purchases": sum(row["visit"].purchases for row in visits),
            "revenue": sum(row["visit"].revenue for row in visits),
        }
        found["users"] = users
        found["events"] = {user: shop.events_of_user(user).to_pylist() for user in users[::_ONE_USER_IN]}
        return found


def cassandra_is_loading(server: CassandraServer) -> bool:
    """Whether a run has the lock, and the slot that readers do not see has rows."""
    with connected(CassandraSettings.from_environment(server.environment)) as session:
        slot = read_live(session).other_slot
        (state,) = session.ask(f"SELECT owner FROM {STATE}")
        return bool(state["owner"] and session.ask(f"SELECT user_id FROM {TABLES[VISITS].of(slot)} LIMIT 1"))


HOLDS: Final[Mapping[str, Callable[[Any], Held]]] = {
    "mysql": mysql_holds,
    "redis": redis_holds,
    "cassandra": cassandra_holds,
}
IS_LOADING: Final[Mapping[str, Callable[[Any], bool]]] = {
    "mysql": mysql_is_loading,
    "redis": redis_is_loading,
    "cassandra": cassandra_is_loading,
}


def hold(servers: Mapping[str, StoreServer]) -> Held:
    """What all of them hold."""
    return {name: HOLDS[name](server) for name, server in servers.items()}
