"""The generator against a row at a time, and against writing the same bytes from memory.

Naive: what people do today to have test data, one row at a time with `random` and `csv`, without sessions, users who
come back or prices that stay. It makes far less of a store and is still the slower one.
"""

import csv
import io
import json
import os
import platform
import random
import tempfile
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from app.events.generator import Settings, generate
from app.events.schema import RAW_COLUMNS

ROWS: Final = 1_000_000
NAIVE_ROWS: Final = 100_000
_TYPES: Final = ("view", "cart", "purchase")
_SHARES: Final = (0.9607, 0.0218, 0.0175)


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS) -> dict[str, Any]:
    """Rows a second of the generator (`ours`), of a row at a time (`naive`) and of a plain write (`limit`)."""
    ours = rows / _seconds_to_write(generate(Settings(events=rows, seed=7)))
    chunks = list(generate(Settings(events=rows, seed=7)))
    limit = rows / _seconds_to_write(chunks)
    naive = naive_rows / _seconds_to_write(_naive(naive_rows))
    return {
        "name": "generator",
        "unit": "events/s",
        "ours": round(ours),
        "naive": round(naive),
        "limit": round(limit),
        "ratio": round(ours / naive, 1),
        "run": {
            "rows": rows,
            "naive_rows": naive_rows,
            "cores": 1,
            "versions": {"python": platform.python_version()} | {name: version(name) for name in ("numpy", "pyarrow")},
        },
    }


def _seconds_to_write(chunks: Iterable[bytes]) -> float:
    with tempfile.TemporaryFile() as file:
        start = time.perf_counter()
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        return time.perf_counter() - start


def _naive(rows: int) -> Iterable[bytes]:
    chance = random.Random(7)
    text = io.StringIO()
    writer = csv.DictWriter(text, RAW_COLUMNS, lineterminator="\n")
    moment = datetime(2019, 10, 1, tzinfo=UTC)
    writer.writeheader()
    for _ in range(rows):
        moment += timedelta(seconds=chance.random() * 5)
        writer.writerow(
            {
                "event_time": moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
                "event_type": chance.choices(_TYPES, _SHARES)[0],
                "product_id": chance.randrange(1_000_000, 60_000_000),
                "category_id": 2_053_013_552_259_662_037 + chance.randrange(600),
                "category_code": chance.choice(("electronics.smartphone", "computers.notebook", "")),
                "brand": chance.choice(("samsung", "apple", "xiaomi", "")),
                "price": f"{chance.random() * 1_000:.2f}",
                "user_id": chance.randrange(512_000_000, 556_000_000),
                "user_session": uuid.UUID(int=chance.getrandbits(128), version=4),
            }
        )
        if text.tell() > 1 << 20:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


if __name__ == "__main__":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(run()))
