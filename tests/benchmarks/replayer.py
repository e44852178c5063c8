"""The replayer against the client's own batching of one row a message, and against publishing from memory.

Naive: what people do today, each row a message through `publisher.publish`, whose client sends them in batches.
Limit: the same requests, made before the clock starts, sent one after the other: what client and emulator can do.
All read the same generated file and publish to the same kind of emulator, each to a topic of its own.
"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PublishRequest

from app.events.files import Block, read_blocks
from app.events.generator import Settings, generate
from app.gcp.clients import publisher_client
from app.local.emulators import environment
from app.local.pubsub import Kind, PubsubEmulator, pubsub_emulator
from app.stream.replayer import ReplaySettings, replay
from app.stream.replayer_blocks import Cutter, Limits
from app.stream.replayer_checkpoint import Position
from app.stream.replayer_publisher import Batch

ROWS: Final = 1_000_000
NAIVE_ROWS: Final = 30_000
BLOCK_ROWS: Final = 500
RUNS: Final = 3
"""A run takes a second or two, so the middle of three counts."""
_BLOCK_BYTES: Final = 1 << 20
_HEAP: Final = "3g"


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS, kind: Kind | None = None) -> dict[str, Any]:
    """Rows a second from a plain file into the emulator: `ours`, one row a message (`naive`), from memory (`limit`)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        with path.open("wb") as file:
            file.writelines(generate(Settings(events=rows, seed=7)))
        found: dict[str, float] = {}
        for name, side in (("ours", _ours), ("limit", _limit), ("naive", _naive)):
            # An emulator keeps what it got in its memory: each side gets a fresh one.
            with pubsub_emulator(kind, heap=_HEAP) as emulator, environment(emulator.environment):
                _warm_up(emulator, path)
                found[name] = median(side(_topic(emulator, f"{name}-{i}"), str(path), naive_rows) for i in range(RUNS))
                which = emulator.kind
    return {
        "name": "replayer",
        "unit": "rows/s",
        "ours": round(found["ours"]),
        "naive": round(found["naive"]),
        "limit": round(found["limit"]),
        "ratio": round(found["ours"] / found["naive"], 1),
        "run": {
            "rows": rows,
            "naive_rows": naive_rows,
            "runs": RUNS,
            "block_rows": BLOCK_ROWS,
            "emulator": which,
            "cores": os.cpu_count(),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("google-cloud-pubsub", "grpcio", "numpy")},
        },
    }


def _topic(emulator: PubsubEmulator, name: str) -> str:
    """A topic with a subscription: without one, the emulator need not keep the messages."""
    topic = emulator.create_topic(name)
    emulator.create_subscription(f"{name}-subscription", topic)
    return topic


def _ours(topic: str, path: str, _naive_rows: int) -> float:
    return replay(ReplaySettings(topic=topic, files=(path,), block_rows=BLOCK_ROWS)).rows_per_second


def _limit(topic: str, path: str, _naive_rows: int) -> float:
    cutter = Cutter(Limits(BLOCK_ROWS, _BLOCK_BYTES))
    batches = [Batch(topic, path, Position())]
    for block in read_blocks(path, BLOCK_ROWS):
        for piece in cutter.cut(block):
            if not batches[-1].takes(piece):
                batches.append(Batch(topic, path, Position()))
            batches[-1].add(piece)
    requests = [PublishRequest.wrap(batch.request) for batch in batches]
    client = publisher_client()

    def publish() -> int:
        for request in requests:
            PublisherClient.publish(client, request=request)
        return sum(batch.rows for batch in batches)

    return _rate(publish)


def _naive(topic: str, path: str, rows: int) -> float:
    client = publisher_client()

    def publish() -> int:
        futures = []
        with Path(path).open("rb") as file:
            next(file)
            for line in file:
                futures.append(client.publish(topic, line, event_time=line[:19].decode()))
                if len(futures) >= rows:
                    break
        for future in futures:
            future.result()
        return len(futures)

    return _rate(publish)


def _warm_up(emulator: PubsubEmulator, path: Path) -> None:
    """The first requests load and compile the emulator's code, for all sides alike."""
    topic = emulator.create_topic("warm-up")
    client = publisher_client()
    blocks: list[Block] = []
    for block in read_blocks(str(path), BLOCK_ROWS):
        blocks.append(block)
        if len(blocks) == 300:
            break
    for _ in range(2):
        for at in range(0, len(blocks), 100):
            messages = [{"data": block.data} for block in blocks[at : at + 100]]
            PublisherClient.publish(client, request={"topic": topic, "messages": messages})
    client.delete_topic(topic=topic)


def _rate(publish: Callable[[], int]) -> float:
    start = time.perf_counter()
    rows = publish()
    return rows / (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(run()))
