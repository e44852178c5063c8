"""Loads of the Cassandra store without Spark: events as Parquet files, and tasks that run in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.batch.ingest import Ingested
from app.batch.stores import Run
from app.batch.stores.cassandra import CassandraSettings, CassandraStore, Shop
from app.batch.stores.cassandra.session import Session, connected
from app.batch.tasks import Tasks
from app.local.cassandra import CassandraServer
from tests.batch.staged import Here as Here
from tests.batch.staged import ledger_of as ledger_of
from tests.batch.staged import stage as stage

INGESTED_AT = 1_700_000_000_000_000


def settings_of(server: CassandraServer, **changed: Any) -> CassandraSettings:
    environment = CassandraSettings.from_environment(server.environment)
    quick: dict[str, Any] = {"timeout_seconds": 60, "retry_seconds": 120, "lock_seconds": 6}
    values = {name: getattr(environment, name) for name in ("hosts", "port", "user", "password", "batch_kib")}
    return CassandraSettings(**(values | quick | changed))


@contextmanager
def opened(settings: CassandraSettings, run: Run | None = None) -> Iterator[CassandraStore]:
    """A store that a run has opened, closed at the end."""
    store = CassandraStore(settings)
    try:
        store.open(run or Run.begin())
        yield store
    finally:
        store.close()


def fill(store: CassandraStore, ingested: Ingested, tasks: Tasks | None = None) -> None:
    """All steps before the commit."""
    store.write(tasks or Here(), ingested)
    store.write_ledger(ledger_of(ingested), ingested, {})
    store.verify(ledger_of(ingested))


def load(settings: CassandraSettings, ingested: Ingested, tasks: Tasks | None = None) -> None:
    """A whole run."""
    with opened(settings) as store:
        fill(store, ingested, tasks)
        store.commit()


def content(settings: CassandraSettings, table: str) -> list[tuple[Any, ...]]:
    """All rows of a table of the slot that is shown, in an order of their own."""
    with connected(settings) as session:
        rows = session.ask(f"SELECT * FROM {table}_{slot_of(session)}")
    return sorted((tuple(row.values()) for row in rows), key=repr)


def slot_of(session: Session) -> str:
    return str(session.ask("SELECT slot FROM state WHERE name = 'shop'")[0]["slot"])


def shown(settings: CassandraSettings) -> int:
    """Events of the run that is shown, the same wherever one looks."""
    with Shop(settings) as shop, connected(settings) as session:
        stored_events = shop.run().stored
        slot = slot_of(session)
        ((visits,), (products,)) = (
            session.ask(f"SELECT sum(visit.event_count) AS events FROM visits_{slot}"),
            session.ask(f"SELECT sum(views + carts + removals + purchases) AS events FROM product_days_{slot}"),
        )
    assert (visits["events"], products["events"]) == (stored_events, stored_events)
    return stored_events
