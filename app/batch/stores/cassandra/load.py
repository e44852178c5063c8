"""Writing a run's events: what Spark's tasks do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.duck_facts import plan_sessions
from app.batch.folder import Folder
from app.batch.ingest import Ingested
from app.batch.session_shares import read_shares
from app.batch.stores.cassandra.encode import beside, cents_of, constant, day, decimal, join, number, plain, text
from app.batch.stores.cassandra.rows import Rows, Writer, writing
from app.batch.stores.cassandra.schema import BAD_EVENTS, PRODUCT_DAYS, SESSIONS, TABLES, VISITS
from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.visits import COLUMNS, visits_of
from app.batch.stores.cassandra.wire import row_begin
from app.batch.tasks import Tasks
from app.events.schema import EVENT_TYPES

BAD_BLOCK: Final = 10_000
"""Rows of a source whose bad events are one partition."""

_MAX_STEPS: Final = 4096
_DAY: Final = re.compile(r"event_date=(\d{4})-(\d\d)-(\d\d)/")
_PRODUCT_COLUMNS: Final = ("product_id", "event_type", "price")


@dataclass(frozen=True)
class Load:
    """Where a run's rows go. Sent to the executors, with the password."""

    settings: CassandraSettings
    slot: str
    folder: Folder

    def begin(self, writer: Writer, table: str) -> bytes:
        """The bytes before the values of a row. Raises StoreError."""
        columns = TABLES[table]
        statement = columns.insert(self.slot).replace(" INTO ", f" INTO {self.settings.keyspace}.", 1)
        return row_begin(writer.prepare(statement), len(columns.columns))


@dataclass(frozen=True)
class Item:
    """What one task writes: visits of some shares of the sessions of a month, products of a day, or bad events.

    `files` are all that have them.
    """

    number: int
    table: str
    files: tuple[str, ...]
    shares: range = range(0)

    @property
    def day(self) -> date:
        """The day of the events in the first file."""
        found = _DAY.search(self.files[0])
        if not found:
            raise ValueError(f"{self.files[0]} is in no folder of a day")
        return date(*map(int, found.groups()))


@dataclass(frozen=True)
class Written:
    """What was sent, and has to be found: events in visits and in products, and rows."""

    visit_events: int = 0
    sessions: int = 0
    product_events: int = 0
    product_days: int = 0
    bad_events: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(*(getattr(self, name) + getattr(other, name) for name in Written.__dataclass_fields__))


def write_events(tasks: Tasks, load: Load, ingested: Ingested) -> Written:
    """Write all rows of a run. Raises StoreError."""
    return sum(tasks.run(lambda item: [write_item(load, item)], items_of(ingested)), Written())


def items_of(ingested: Ingested) -> list[Item]:
    """The tasks of a run, the long ones first."""
    days = {
        name: tuple(f"events/{name}/{file}" for file in ingested.folder.below(f"events/{name}").names())
        for name in ingested.folder.below("events").names()
    }
    items: list[Item] = []
    for _, names in groupby(days, lambda name: name.rpartition("-")[0]):
        files = tuple(file for name in names for file in days[name])
        items += [Item(0, VISITS, files, shares) for shares in plan_sessions(len(files))]
    items += [Item(0, PRODUCT_DAYS, files) for files in days.values() if files]
    bad = tuple(f"bad_events/{file}" for file in ingested.folder.below("bad_events").names())
    if bad:
        items.append(Item(0, BAD_EVENTS, bad))
    return [replace(item, number=number) for number, item in enumerate(items)]


def write_item(load: Load, item: Item) -> Written:
    """Write the rows of a task. Raises StoreError and OSError."""
    with writing(load.settings, item.number) as writer:
        match item.table:
            case "visits":
                return _write_visits(load, writer, item)
            case "product_days":
                return _write_products(load, writer, item)
            case _:
                return sum((_write_bad(load, writer, file) for file in item.files), Written())


def _write_visits(load: Load, writer: Writer, item: Item) -> Written:
    """Write the events of shares of the sessions, as many at once as fit into memory."""
    month = item.day.year * 100 + item.day.month
    written = Written()
    for step, events in enumerate(read_shares(load.folder, item.files, item.shares, COLUMNS, coded=True)):
        part = item.number * _MAX_STEPS + step
        rows = visits_of(events, month, part, load.begin(writer, VISITS), load.begin(writer, SESSIONS))
        writer.write(rows.visits)
        writer.write(rows.sessions)
        written += Written(visit_events=len(events), sessions=rows.in_sessions)
    return written


def _write_products(load: Load, writer: Writer, item: Item) -> Written:
    totals = _totals_by_product(load.folder.read_table(file, list(_PRODUCT_COLUMNS)) for file in item.files)
    if not len(totals):
        return Written()
    of = {name: totals.column(name).to_numpy() for name in totals.column_names}
    day_number = (item.day - date(1970, 1, 1)).days
    rows = beside(
        [
            constant(load.begin(writer, PRODUCT_DAYS), len(totals)),
            number(of["product_id"]),
            day(np.full(len(totals), day_number)),
            *(number(of[name]) for name in EVENT_TYPES),
            decimal(of["revenue"]),
        ]
    )
    writer.write(Rows(plain(rows)))
    events = sum(int(of[name].sum()) for name in EVENT_TYPES)
    return Written(product_events=events, product_days=len(totals))


def _totals_by_product(files: Iterator[pa.Table]) -> pa.Table:
    """Events of each type and revenue [hundredths] by product, in the order of tables' columns."""
    measures = (*EVENT_TYPES, "revenue")
    sums = []
    for events in files:
        types = events.column("event_type")
        columns = {"product_id": events.column("product_id")}
        columns |= {name: pc.equal(types, name).cast(pa.int64()) for name in EVENT_TYPES}
        cents = pa.array(cents_of(events.column("price").combine_chunks()))
        columns["revenue"] = pc.multiply(columns["purchase"], cents)
        sums.append(_sum_by_product(pa.table(columns), measures))
    return _sum_by_product(pa.concat_tables(sums), measures)


def _sum_by_product(table: pa.Table, measures: Sequence[str]) -> pa.Table:
    grouped = table.group_by("product_id", use_threads=False).aggregate([(name, "sum") for name in measures])
    return grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names])


def _write_bad(load: Load, writer: Writer, file: str) -> Written:
    bad = load.folder.read_table(file).combine_chunks()
    if not len(bad):
        return Written()
    rows = bad.column("source_row").to_numpy()
    times = bad.column("ingest_time").cast(pa.int64()).to_numpy()
    own = beside(
        [
            constant(load.begin(writer, BAD_EVENTS), len(bad)),
            number(rows // BAD_BLOCK),
            number(rows),
            number(times // 1000),
        ]
    )
    texts = [text(bad.column(name).combine_chunks()) for name in ("source", "reason", "field", "raw")]
    writer.write(Rows(join([plain(own), *(part for pair in texts for part in pair)])))
    return Written(bad_events=len(bad))
