"""A run's events into Redis, beside one command at a time and beside Redis's own loader.

Naive: a client sends a command for each event and each thing that is counted of it, and waits for each answer. It gets
fewer rows, since it is slow; its rate is what counts. Limit: `redis-cli --pipe` sends the same commands from a file
that was written before. Ours adds up in Spark's executors first, which is why it may be faster than that.

`sending` in the run's facts is what the client alone takes for what is left to send, `sending_limit` the same by
`redis-cli --pipe`.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.progress import Progress
from app.batch.settings import Settings
from app.batch.spark_session import spark_session
from app.batch.stores import Run
from app.batch.stores.redis import RedisSettings, RedisStore, Shop
from app.batch.stores.redis.connection import Command, Connection
from app.batch.tasks import SparkTasks
from app.events.files import describe
from app.events.generator import Settings as Generated
from app.events.generator import generate
from app.events.ledger import Ledger
from app.local.emulators import environment
from app.local.java import get_java
from app.local.process import LOOPBACK
from app.local.redis import RedisOptions, RedisServer, redis_server
from tests.batch.stores.redis_loads import Here
from tests.benchmarks.machine import EVENTS_A_DAY, described

ROWS: Final = 5_000_000
NAIVE_ROWS: Final = 10_000
LIMIT_ROWS: Final = 400_000
_CLIENTS: Final = ("redis-cli", "valkey-cli")


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS, limit_rows: int = LIMIT_ROWS) -> dict[str, Any]:
    """Events a second from Parquet files to what readers see; Spark has started."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_server(RedisOptions(memory_mb=4_096)))
        settings = RedisSettings(LOOPBACK, server.port, password=server.password)
        stack.enter_context(environment(get_java().environment))
        spark = stack.enter_context(spark_session(Settings(events=("-",), out=folder), folder / "spark"))
        tasks = SparkTasks(spark.sparkContext)
        ingested = _ingested(tasks, folder, rows)
        events = sum(source.events for source in ingested.sources)
        ours = _load(settings, ingested, tasks)
        with Shop(settings) as shop:
            memory = sum(shop.memory().values())
        sending, commands = _send_alone(settings, ingested)
        some = list(_first(ingested.folder, limit_rows))
        naive = _one_by_one(server, some[:naive_rows])
        limit = _pipe(server, (command for event in some for command in _commands(event)), folder)
        sending_limit = _pipe(server, commands, folder)
        version = _version(server)
    return {
        "name": "redis",
        "unit": "events/s",
        "ours": round(events / ours),
        "naive": round(naive_rows / naive),
        "limit": round(len(some) / limit) if limit else None,
        "ratio": round(events / ours / (naive_rows / naive), 1),
        "run": described("redis", "hiredis", "pyspark", rows=rows, naive_rows=naive_rows, limit_rows=len(some))
        | {
            "seconds": round(ours, 2),
            "sending": round(events / sending),
            "sending_limit": round(events / sending_limit) if sending_limit else None,
            "bytes": memory,
            "server": version,
        },
    }


def _ingested(tasks: SparkTasks, folder: Path, rows: int) -> Ingested:
    file = folder / "events.csv"
    with file.open("wb") as target:
        target.writelines(generate(Generated(events=rows, seed=7, days=max(1, round(rows / EVENTS_A_DAY)))))
    found = ingest(
        tasks,
        [describe(str(file))],
        Folder(str(folder / "run")),
        split_bytes=32 << 20,
        ingest_time=datetime.now(UTC),
        progress=Progress(),
    )
    file.unlink()
    return found


def _load(settings: RedisSettings, ingested: Ingested, tasks: SparkTasks | Here) -> float:
    """Seconds of a whole load, from the lock to the commit."""
    store = RedisStore(settings)
    began = time.monotonic()
    try:
        store.open(Run.begin())
        stored = store.write(tasks, ingested)
        ledger = Ledger(ingested.rows, stored.events, ingested.duplicates, stored.bad_events)
        store.write_ledger(ledger.check(), ingested, {})
        store.verify(ledger)
        store.commit()
        return time.monotonic() - began
    finally:
        store.close()


def _send_alone(settings: RedisSettings, ingested: Ingested) -> tuple[float, list[Command]]:
    """Seconds that a load's writes take in one process, and the writes."""
    send = Connection.send
    sent: list[Command] = []
    seconds = 0.0

    def timed(self: Connection, commands: Iterable[Command]) -> list[Any]:
        nonlocal seconds
        batch = list(commands)
        began = time.monotonic()
        answers = send(self, batch)
        if batch[0][0] == "SADD":
            seconds += time.monotonic() - began
            sent.extend(batch)
        return answers

    with patch.object(Connection, "send", timed):
        _load(settings, ingested, Here())
    return seconds, sent


def _first(folder: Folder, rows: int) -> Iterator[dict[str, Any]]:
    """The first events as rows."""
    columns = ["event_time", "event_type", "product_id", "department", "sub_category", "brand", "price", "user_id"]
    for file in sorted(Path(folder.root, "events").rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(10_000, columns=columns):
            for event in pa.Table.from_batches([batch]).to_pylist():
                yield event
                rows -= 1
                if not rows:
                    return


def _commands(event: dict[str, Any]) -> Iterator[Command]:
    """What a loader without sums sends for an event."""
    day, hour, kind = f"{event['event_time']:%Y-%m-%d}", f"{event['event_time']:%H}", event["event_type"]
    cents = int(event["price"] * 100)
    yield ("HINCRBY", f"n:day:{day}", kind, 1)
    yield ("HINCRBY", f"n:hours:{day}", f"{hour}:{kind}", 1)
    yield ("PFADD", f"n:visitors:{day}", event["user_id"])
    names = {"products": event["product_id"], "brands": event["brand"], "sub_categories": event["sub_category"]}
    for board, name in names.items():
        if name is not None and kind == "view":
            yield ("ZINCRBY", f"n:top:{board}:views", 1, name)
        if name is not None and kind == "purchase":
            yield ("ZINCRBY", f"n:top:{board}:purchases", 1, name)
            yield ("ZINCRBY", f"n:top:{board}:revenue", cents, name)
    if kind == "purchase":
        yield ("PFADD", f"n:buyers:{day}", event["user_id"])
        yield ("HINCRBY", f"n:day:{day}", "revenue", cents)
        yield ("HINCRBY", f"n:hours:{day}", f"{hour}:revenue", cents)


def _one_by_one(server: RedisServer, events: list[dict[str, Any]]) -> float:
    with Redis(LOOPBACK, server.port, password=server.password) as client:
        began = time.monotonic()
        for event in events:
            for command in _commands(event):
                client.execute_command(*command)
        return time.monotonic() - began


def _pipe(server: RedisServer, commands: Iterable[Command], folder: Path) -> float | None:
    """Seconds that Redis's own loader takes for commands in a file; None where this machine has none."""
    program = next(filter(None, map(shutil.which, _CLIENTS)), None)
    if not program:
        return None
    file = folder / "commands"
    with file.open("wb") as target:
        target.writelines(map(_packed, commands))
    began = time.monotonic()
    with file.open("rb") as source:
        subprocess.run(
            [program, "-p", str(server.port), "--pipe"],
            stdin=source,
            capture_output=True,
            check=True,
            env={"REDISCLI_AUTH": server.password},
        )
    return time.monotonic() - began


def _packed(command: Command) -> bytes:
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _version(server: RedisServer) -> str:
    with Redis(LOOPBACK, server.port, password=server.password, decode_responses=True) as client:
        found = client.info("server")
    return str(found.get("valkey_version") or found["redis_version"])
