"""The usual streaming pipeline, a dict a row, as the measure that ours is compared with."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import apache_beam as beam
from apache_beam.transforms.window import FixedWindows, Sessions, TimestampedValue

from app.events.csv_codec import Block
from app.events.schema import RAW_COLUMNS
from app.gcp.clients import bigquery_client

_INSERT: Final = 500
_GAP_SECONDS: Final = 30 * 60


def naive_pipeline(messages: beam.PCollection[Block], dataset: str) -> None:
    """Parse, insert, and count by minute and session."""
    parsed = messages | beam.Map(_parse)
    parsed | beam.ParDo(_Insert(f"{dataset}.event_log"))
    timed = parsed | beam.Map(lambda row: TimestampedValue(row, datetime.fromisoformat(row["event_time"]).timestamp()))
    (
        timed
        | "Minute" >> beam.WindowInto(FixedWindows(60))
        | beam.Map(lambda row: (row["event_type"], (1, row["price"])))
        | "Count minutes" >> beam.CombinePerKey(_sum)
        | "Minutes" >> beam.Map(_keep)
    )
    (
        timed
        | "Session" >> beam.WindowInto(Sessions(_GAP_SECONDS))
        | beam.Map(lambda row: (row["user_session"], (1, row["price"])))
        | "Count sessions" >> beam.CombinePerKey(_sum)
        | "Sessions" >> beam.Map(_keep)
    )


def _parse(block: Block) -> dict[str, Any]:
    line = block.data.decode().strip()
    row: dict[str, Any] = dict(zip(RAW_COLUMNS, line.split(","), strict=True))
    row["event_time"] = row["event_time"][:19].replace(" ", "T") + "+00:00"
    for name in ("product_id", "category_id", "user_id"):
        row[name] = int(row[name])
    row["price"] = float(row["price"])
    levels = row["category_code"].split(".")
    row["department"], row["sub_category"] = levels[0], levels[1] if len(levels) > 1 else ""
    row["event_id"] = hashlib.md5(line.encode()).hexdigest()
    return row


def _sum(values: Iterable[tuple[int, float]]) -> tuple[int, float]:
    events, money = 0, 0.0
    for count, price in values:
        events += count
        money += price
    return events, money


def _keep(count: Any) -> Any:
    return count


class _Insert(beam.DoFn):
    def __init__(self, table: str) -> None:
        self._name = table

    def setup(self) -> None:
        self._client = bigquery_client()
        self._table = self._client.get_table(self._name)

    def start_bundle(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def process(self, row: dict[str, Any]) -> Iterator[None]:
        stored = row | {"event_id": row["event_id"][:24], "zero_price": row["price"] == 0, "missing_session": False}
        self._rows.append(stored | {"source": "benchmark", "source_row": 1, "ingest_time": row["event_time"]})
        if len(self._rows) == _INSERT:
            self._insert()
        yield from ()

    def finish_bundle(self) -> None:
        if self._rows:
            self._insert()

    def _insert(self) -> None:
        errors = self._client.insert_rows_json(self._table, self._rows)
        if errors:
            raise AssertionError(errors[:1])
        self._rows = []
