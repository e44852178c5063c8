"""The streaming pipeline from messages in Pub/Sub to rows in BigQuery, beside the usual way, on the same emulators.

Both sides run on Beam's FnApiRunner with one worker, read the same generated events by the same source, store every
event, and count by minute and by session. Each starts when its messages are in Pub/Sub; the time until its last row is
stored counts, Beam's start included.

Naive: one row a message, split at commas into a dict, stored by JSON inserts of 500 rows, fixed windows of a minute and
session windows with one key a session: what the tutorials do.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
import psutil
from google.pubsub_v1.types import PubsubMessage

from app.events.csv_codec import Block, decode_blocks
from app.gcp.clients import bigquery_client, publisher_client
from app.local.emulators import Emulators, emulators
from app.local.warehouse import create_warehouse
from app.stream.cells import CellKey, count_cell, split_into_cells
from app.stream.pipeline import build, tuned
from app.stream.pull import PullMessages
from app.stream.settings import Settings
from tests.benchmarks.machine import described, rows
from tests.benchmarks.stream_naive import naive_pipeline

IDLE: Final = 2.0
BLOCK: Final = 500
TOGETHER: Final = 60
_REQUEST_BYTES: Final = 7_000_000


@dataclass(frozen=True)
class _Run:
    rows: int
    seconds: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    @property
    def micros(self) -> float:
        """CPU time of the pipeline's own process by event."""
        return self.cpu["pipeline"] / self.rows * 1e6


def run(count: int = 1_000_000, naive_count: int = 20_000) -> list[dict[str, Any]]:
    """Events a second of an empty warehouse, then of one that holds them already, and CPU time by event."""
    lines = rows(count)
    with emulators(heap=f"{2 + count // 600_000}g") as running:
        naive = _measure(running, "naive", [[line] for line in lines[:naive_count]], _build_naive)
    # Google's emulator keeps what was acknowledged, so each run has servers of its own.
    blocks = [lines[at : at + BLOCK] for at in range(0, len(lines), BLOCK)]
    with emulators(heap=f"{2 + count // 300_000}g") as running:
        first = _measure(running, "ours", blocks, _build_ours)
        again = _measure(running, "ours", blocks, _build_ours)
        stored = _count(running, "ours", "event_log")
    if stored != 2 * count:
        raise AssertionError(f"{stored} rows stored, {2 * count} sent")
    ours = _our_share(blocks)
    return [
        {
            "name": "stream",
            "unit": "events/s",
            "ours": round(first.rate),
            "naive": round(naive.rate),
            "limit": None,
            "ratio": round(first.rate / naive.rate, 1),
            "run": described("apache-beam", "pyarrow", rows=count, naive_rows=naive_count, rows_a_message=BLOCK)
            | {
                "seconds": round(first.seconds, 1),
                "cpu_seconds": {name: round(seconds, 1) for name, seconds in first.cpu.items()},
                "pipeline_cpu_seconds": {"ours": round(ours, 1), "beam": round(first.cpu["pipeline"] - ours, 1)},
                "events_per_second_into_a_table_of_as_many": round(again.rate),
            },
        },
        {
            "name": "stream CPU time by event",
            "unit": "microseconds",
            "ours": round(first.micros, 1),
            "naive": round(naive.micros, 1),
            "limit": None,
            "ratio": round(naive.micros / first.micros, 1),
            "run": described("apache-beam", "pyarrow", rows=count, naive_rows=naive_count),
        },
    ]


def _measure(
    running: Emulators,
    name: str,
    messages: Sequence[Sequence[bytes]],
    lay_out: Callable[[beam.Pipeline, str, str], None],
) -> _Run:
    topic = running.pubsub.create_topic(f"{name}-{time.time_ns()}")
    subscription = running.pubsub.create_subscription(f"{name}-{time.time_ns()}", topic, ack_deadline_seconds=600)
    dataset = f"{running.environment['GOOGLE_CLOUD_PROJECT']}.{name}"
    create_warehouse(dataset)
    _publish(topic, messages)
    before, began = _cpu(running), time.monotonic()
    pipeline = beam.Pipeline(options=tuned(["--runner=FnApiRunner"]))
    lay_out(pipeline, subscription, dataset)
    pipeline.run().wait_until_finish()
    seconds = time.monotonic() - began - IDLE
    after = _cpu(running)
    return _Run(sum(map(len, messages)), seconds, {key: after[key] - before[key] for key in after})


def _build_ours(pipeline: beam.Pipeline, subscription: str, dataset: str) -> None:
    build(pipeline, Settings(subscription, dataset, shards=1, keep_days=0, rebuild=False, pull=True, until_idle=IDLE))


def _build_naive(pipeline: beam.Pipeline, subscription: str, dataset: str) -> None:
    naive_pipeline(pipeline | PullMessages(subscription, IDLE), dataset)


def _publish(topic: str, messages: Sequence[Sequence[bytes]]) -> None:
    client = publisher_client().api
    request: list[PubsubMessage] = []
    size = row = 0
    for lines in messages:
        data = b"\n".join(lines) + b"\n"
        if request and (size + len(data) > _REQUEST_BYTES or len(request) == 1_000):
            client.publish(topic=topic, messages=request)
            request, size = [], 0
        request.append(PubsubMessage(data=data, attributes={"source": "benchmark", "first_row": str(row + 1)}))
        size += len(data)
        row += len(lines)
    if request:
        client.publish(topic=topic, messages=request)


def _cpu(running: Emulators) -> dict[str, float]:
    """CPU seconds so far of the pipeline's process and of each emulator."""
    processes = {
        "pipeline": os.getpid(),
        "pubsub": running.pubsub.server.pid,
        "bigquery": running.bigquery.server.pid,
    }
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in processes.items()}


def _count(running: Emulators, dataset: str, table: str) -> int:
    project = running.environment["GOOGLE_CLOUD_PROJECT"]
    query = f"SELECT COUNT(*) AS n FROM `{project}.{dataset}.{table}`"
    (row,) = bigquery_client().query(query).result()
    return int(row.n)


def _our_share(blocks: Sequence[Sequence[bytes]]) -> float:
    """CPU seconds that our code takes for the same events without Beam: decode, split, count, serialise."""
    texts = [Block(b"\n".join(lines) + b"\n", "benchmark", 1) for lines in blocks]
    began = time.process_time()
    cells: dict[CellKey, list[bytes]] = {}
    for at in range(0, len(texts), TOGETHER):
        events = decode_blocks(texts[at : at + TOGETHER]).events
        events.serialize()
        for key, part in split_into_cells(events, 1):
            cells.setdefault(key, []).append(part)
    for key, parts in cells.items():
        count_cell(key, [], parts, epoch=0, is_rebuilt=False)
    return time.process_time() - began
