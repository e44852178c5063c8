"""What the servers of the batch stores hold after a load, and one question to each that it is made for."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import duckdb


@dataclass(frozen=True)
class StoreRead:
    """What a store holds, and what it answers, both in words."""

    store: str
    holds: str
    answers: str


def read_store(name: str, events: Path) -> StoreRead:
    """Ask a store that the environment names; `events` are the Parquet files of the same run.

    Raises:
        BatchError: it cannot be read.
    """
    return READS[name](events)


def _mysql(_: Path) -> StoreRead:
    from app.batch.stores.mysql.server import connect, quoted, run
    from app.batch.stores.mysql.settings import MysqlSettings

    settings = MysqlSettings.from_environment(os.environ)
    activity, brands = (quoted(settings.database, table) for table in ("activity", "top_brands"))
    connection = connect(settings)
    try:
        ((tables,),) = run(
            connection, "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s", settings.database
        )
        ((hours, events),) = run(connection, f"SELECT count(*), sum(events) FROM {activity}")  # noqa: S608
        best = run(connection, f"SELECT brand, revenue FROM {brands} ORDER BY revenue DESC LIMIT 3")  # noqa: S608
    finally:
        connection.close()
    return StoreRead(
        "MySQL",
        f"{tables} tables; {events or 0:,} events in {hours:,} rows by hour, type, category and brand",
        f"brands of most revenue: {', '.join(f'{brand} ({revenue:,})' for brand, revenue in best)}",
    )


def _redis(_: Path) -> StoreRead:
    from app.batch.stores.redis import Shop

    with Shop.from_environment() as shop:
        keys = shop.memory()
        days = shop.days()
        first, last = min(days, default=date.min), max(days, default=date.min)
        products = ", ".join(f"{found.name} ({found.score:,})" for found in shop.top("products", "purchases", 3))
        visitors = shop.visitors(first, last)
    return StoreRead(
        "Redis",
        f"{sum(days.values()):,} events counted by hour in {len(keys):,} keys, {sum(keys.values()) / 2**20:.1f} MiB",
        f"products bought most: {products}; about {visitors:,} visitors from {first} to {last}",
    )


def _cassandra(events: Path) -> StoreRead:
    from app.batch.stores.cassandra import CassandraSettings, Shop

    user, bought = _best_buyer(events)
    with Shop(CassandraSettings.from_environment()) as shop:
        run = shop.run()
        found = shop.events_of_user(user)
    newest = found.slice(0, 1).to_pylist()
    last = "".join(f"; the last: {row['event_type']} at {row['event_time']:%Y-%m-%d %H:%M}" for row in newest)
    return StoreRead(
        "Cassandra",
        f"{run.stored:,} events and {run.bad:,} bad events of {run.first_day} to {run.last_day}",
        f"user {user}, who bought {bought} times: {found.num_rows:,} events{last}",
    )


def _best_buyer(events: Path) -> tuple[int, int]:
    """The user with the most purchases, and how many."""
    with duckdb.connect() as engine:
        rows = engine.execute(
            "SELECT user_id, count(*) FILTER (event_type = 'purchase') AS bought FROM read_parquet(?) "
            "GROUP BY user_id ORDER BY bought DESC, user_id LIMIT 1",
            [str(events / "**" / "*.parquet")],
        ).fetchall()
    return rows[0] if rows else (0, 0)


READS: Final[Mapping[str, Callable[[Path], StoreRead]]] = {"mysql": _mysql, "redis": _redis, "cassandra": _cassandra}
