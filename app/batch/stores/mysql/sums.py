"""What of a run goes to MySQL beside answers: sums of each part, made where it is, and put together afterwards.

    events of a part ── DuckDB ──┐
    events of a part ── DuckDB ──┴── DuckDB, some hours a task ── mysql/activity/0.parquet
    sessions of a share ── DuckDB ── DuckDB ── mysql/visitors/0.parquet
    bad events of a part ── DuckDB ── DuckDB ── mysql/bad_event_counts/0.parquet, mysql/bad_events/0.parquet

Runs in Spark's executors. Each row is the same in every run over the same events, also its number, so that rows which
are loaded again replace themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.analytics.facts import UNCATEGORISED
from app.analytics.questions.bought_together import UNBRANDED
from app.batch.duck_engine import duck_engine
from app.batch.duck_facts import folder_of
from app.batch.errors import BatchError
from app.batch.folder import Folder
from app.batch.ingest import Ingested
from app.batch.parts import Part
from app.batch.stores.mysql.tables import ACTIVITY, BAD_EVENT_COUNTS, BAD_EVENTS, VISITORS, Table
from app.batch.tasks import Tasks
from app.events.schema import MAX_ROW_BYTES

KEPT_BAD_EVENTS: Final = 100
"""Bad events of each reason that are kept as they were received; counts have them all."""

_PARTS: Final = "parts"
_READ: Final = ("event_time", "event_type", "department", "sub_category", "brand", "price")
_READ_OF_SESSIONS: Final = ("session_start", "session_end")
_SESSIONS: Final = folder_of("sessions")
_STEP: Final = "INTERVAL 5 MINUTE"
"""The width of a row of `visitors`."""

_ACTIVITY_OF_PART: Final = f"""
    SELECT date_trunc('hour', event_time) AS time, event_type, coalesce(department, '{UNCATEGORISED}') AS department,
        coalesce(sub_category, '{UNCATEGORISED}') AS sub_category, coalesce(brand, '{UNBRANDED}') AS brand,
        count(*) AS events, sum(price) AS price_sum
    FROM rows GROUP BY ALL
"""  # noqa: S608 - our own names
_ACTIVITY: Final = """
    SELECT time, row_number() OVER (PARTITION BY time ORDER BY event_type, department, sub_category, brand) AS id,
        event_type, department, sub_category, brand, events, price_sum
    FROM (
        SELECT time, event_type, department, sub_category, brand, sum(events) AS events, sum(price_sum) AS price_sum
        FROM rows GROUP BY ALL)
    ORDER BY time, id
"""
_VISITORS_OF_SHARE: Final = f"""
    SELECT time, count(*) AS sessions, count(*) FILTER (time = first) AS started
    FROM (
        SELECT first, unnest(generate_series(first, last, {_STEP})) AS time
        FROM (
            SELECT time_bucket({_STEP}, session_start) AS first, time_bucket({_STEP}, session_end) AS last FROM rows))
    GROUP BY time
"""  # noqa: S608 - our own names
_VISITORS: Final = (
    "SELECT time, sum(sessions) AS sessions, sum(started) AS started FROM rows GROUP BY time ORDER BY time"
)
_COUNTS_OF_PART: Final = "SELECT source, reason, field, count(*) AS events FROM rows GROUP BY ALL"
_COUNTS: Final = """
    SELECT $run AS run, row_number() OVER (ORDER BY source, reason, field NULLS FIRST) AS number, source, reason, field,
        events
    FROM (SELECT source, reason, field, sum(events) AS events FROM rows GROUP BY ALL)
    ORDER BY number
"""
_FIRST_OF_PART: Final = f"""
    SELECT reason, field, source, source_row, raw
    FROM rows QUALIFY row_number() OVER (PARTITION BY reason ORDER BY source, source_row) <= {KEPT_BAD_EVENTS}
"""  # noqa: S608 - our own names
_FIRST: Final = f"""
    SELECT reason, row_number() OVER (PARTITION BY reason ORDER BY source, source_row) AS number, field, source,
        source_row, CAST(array_slice(raw, 1, {MAX_ROW_BYTES}) AS BLOB) AS raw, octet_length(raw) AS bytes
    FROM rows QUALIFY number <= {KEPT_BAD_EVENTS}
    ORDER BY reason, number
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Summed:
    """What was made: the names of the tables, and how many sessions `visitors` is of."""

    tables: tuple[str, ...]
    sessions: int


def sum_up(tasks: Tasks, ingested: Ingested, run: str, folder: Folder) -> Summed:
    """Make files of rows for the tables below a folder, each in a folder of the table's name.

    Raises:
        BatchError: the run's facts were not made before, or as `Tasks.run` does.
        OSError: a file cannot be read or written.
    """
    source = ingested.folder
    parts = [part for part in ingested.parts if part.events]
    sessions = source.below(_SESSIONS).names()
    if parts and not sessions:
        raise BatchError(f"the run has no {_SESSIONS}: make its facts before it is loaded into MySQL")
    tasks.run(lambda part: _sum_part(part, source, folder), parts)
    counted = tasks.run(lambda name: _count_sessions(name, source, folder), sessions)
    tasks.run(lambda name: _count_bad(name, source, folder), source.below("bad_events").names())
    made = [Made(ACTIVITY, share, tasks.at_once) for share in range(tasks.at_once)]
    made += [Made(table, 0, 1) for table in (VISITORS, BAD_EVENT_COUNTS, BAD_EVENTS)]
    tasks.run(lambda one: one.write(folder, run), made)
    return Summed(tuple(_WHOLE), sum(counted))


def _sum_part(part: Part, source: Folder, target: Folder) -> Iterator[int]:
    events = pa.concat_tables([source.read_table(file, list(_READ), coded=True) for file in part.event_files()])
    target.write_table(f"{_PARTS}/{ACTIVITY.name}/{part.name}.parquet", _asked(_ACTIVITY_OF_PART, events))
    yield len(events)


def _count_sessions(name: str, source: Folder, target: Folder) -> Iterator[int]:
    sessions = source.read_table(f"{_SESSIONS}/{name}", list(_READ_OF_SESSIONS))
    target.write_table(f"{_PARTS}/{VISITORS.name}/{name}", _asked(_VISITORS_OF_SHARE, sessions))
    yield len(sessions)


def _count_bad(name: str, source: Folder, target: Folder) -> Iterator[int]:
    bad = source.read_table(f"bad_events/{name}")
    for table, sql in ((BAD_EVENT_COUNTS, _COUNTS_OF_PART), (BAD_EVENTS, _FIRST_OF_PART)):
        target.write_table(f"{_PARTS}/{table.name}/{name}", _asked(sql, bad))
    yield len(bad)


@dataclass(frozen=True, slots=True)
class Made:
    """One file of a table: the rows of every `shares`th hour where that is more than one."""

    table: Table
    share: int
    shares: int

    def write(self, folder: Folder, run: str) -> Iterator[int]:
        """Put together what was made of the parts; nothing where there is nothing."""
        parts = folder.below(f"{_PARTS}/{self.table.name}")
        rows = [self._own(parts.read_table(name)) for name in parts.names()]
        if rows:
            made = _asked(_WHOLE[self.table.name], pa.concat_tables(rows), run).cast(self.table.schema)
            folder.write_table(f"{self.table.name}/{self.share}.parquet", made)
            yield len(made)

    def _own(self, rows: pa.Table) -> pa.Table:
        if self.shares == 1:
            return rows
        return _asked(f"FROM rows WHERE (epoch(time)::BIGINT // 3600) % {self.shares} = {self.share}", rows)


_WHOLE: Final = {
    ACTIVITY.name: _ACTIVITY,
    VISITORS.name: _VISITORS,
    BAD_EVENT_COUNTS.name: _COUNTS,
    BAD_EVENTS.name: _FIRST,
}


def _asked(sql: str, rows: pa.Table, run: str | None = None) -> pa.Table:
    with duck_engine() as engine:
        engine.register("rows", rows)
        return engine.sql(sql, params={"run": run} if "$run" in sql else None).to_arrow_table()
