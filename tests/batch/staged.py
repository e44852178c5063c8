"""Events staged as a run stages them, but without Spark, for the tests of the stores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from app.batch.folder import Folder
from app.batch.ingest import Ingested, SourceCounts
from app.batch.session_shares import by_share, write_shares
from app.events.csv_codec import decode, stored
from app.events.ledger import Ledger
from app.events.schema import BAD_EVENTS, EVENTS

Item = TypeVar("Item")
Result = TypeVar("Result")
INGESTED_AT = 1_700_000_000_000_000
"""When all of it came [microseconds since 1970]."""


@dataclass(frozen=True)
class Here:
    """Runs tasks in this process, one after the other, and `before` each of them what a test wants to happen."""

    at_once: int = 2
    before: Callable[[int], None] = lambda _: None

    def run(
        self,
        task: Callable[[Item], Iterable[Result]],
        items: Sequence[Item],
        count: Callable[[Result], int] = lambda _: 1,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Result]:
        results: list[Result] = []
        for number, item in enumerate(items):
            self.before(number)
            results += task(item)
        return results


def stage(folder: Path, data: bytes) -> tuple[Ingested, pa.Table]:
    """The file's events, each once, in two Parquet files a day, and the same as one table."""
    decoded = decode(data, source="events.csv")
    rows, bad = len(decoded.text), len(decoded.bad)
    target = Folder(str(folder))
    target.make("events", "bad_events")
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("decoded", pa.Table.from_batches([decoded.events.select(EVENTS.names)]))
        every = database.sql("SELECT DISTINCT ON (event_id) * FROM decoded").to_arrow_table().cast(EVENTS)
        database.register("every", every)
        days = database.sql("SELECT DISTINCT CAST(event_time AS DATE)::VARCHAR FROM every").fetchall()
        for (day,) in days:
            of_day = database.sql(
                f"SELECT * FROM every WHERE CAST(event_time AS DATE) = '{day}' ORDER BY event_time, event_id"
            ).to_arrow_table()
            half = len(of_day) // 2
            for number, part in enumerate((of_day.slice(0, half), of_day.slice(half))):
                write_shares(target, f"events/event_date={day}/part-{number}.parquet", *by_share(part.cast(EVENTS)))
    if bad:
        table = pa.Table.from_batches([stored(decoded.bad, INGESTED_AT)], BAD_EVENTS)
        target.write_table("bad_events/part-0.parquet", table)
    counts = SourceCounts("events.csv", len(data), rows, len(every), rows - len(every) - bad, bad)
    return Ingested(target, (counts,)), every


def ledger_of(ingested: Ingested) -> Ledger:
    (counts,) = ingested.sources
    return Ledger(counts.rows, counts.events, counts.duplicates, counts.bad)
