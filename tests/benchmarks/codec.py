"""The codec on one core: all checks and the event id, against a row at a time as it is done today.

Naive: a row split at its commas into a dict of typed values, hashed, without any check. Limit: `pyarrow.csv` alone with
types, without event id, checks or reasons.
"""

import hashlib
import time
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.csv

from app.events.csv_codec import Block, decode_blocks
from app.events.schema import RAW_COLUMNS
from tests.benchmarks.machine import described, rows

ROWS = 1_000_000
BLOCK = 500
TOGETHER = 60


def run(count: int = ROWS) -> dict[str, Any]:
    """Rows a second of CPU time: `ours` decodes 60 blocks of 500 rows together, as the streaming pipeline does."""
    lines = rows(count)
    blocks = [
        Block(b"\n".join(lines[at : at + BLOCK]) + b"\n", "benchmark", at + 1) for at in range(0, len(lines), BLOCK)
    ]
    groups = [blocks[at : at + TOGETHER] for at in range(0, len(blocks), TOGETHER)]
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        ours = _rate(lambda: [decode_blocks(group) for group in groups], count)
        limit = _rate(lambda: [_columns(b"".join(block.data for block in group)) for group in groups], count)
    finally:
        pa.set_cpu_count(threads)
    few = lines[: count // 10]
    naive = _rate(lambda: [_naive(line) for line in few], len(few))
    return {
        "name": "codec",
        "unit": "events/s",
        "ours": round(ours),
        "naive": round(naive),
        "limit": round(limit),
        "ratio": round(ours / naive, 1),
        "run": described("pyarrow", "xxhash", rows=count, naive_rows=len(few), rows_a_block=BLOCK) | {"cores": 1},
    }


def _rate(work: Any, count: int) -> float:
    began = time.process_time()
    work()
    return count / (time.process_time() - began)


def _columns(data: bytes) -> pa.Table:
    return pyarrow.csv.read_csv(pa.BufferReader(data), pyarrow.csv.ReadOptions(column_names=list(RAW_COLUMNS)))


def _naive(line: bytes) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(RAW_COLUMNS, line.decode().split(","), strict=True))
    row["event_time"] = datetime.strptime(row["event_time"], "%Y-%m-%d %H:%M:%S %Z")  # noqa: DTZ007
    for name in ("product_id", "category_id", "user_id"):
        row[name] = int(row[name])
    row["price"] = float(row["price"])
    levels = row["category_code"].split(".")
    row["department"], row["sub_category"] = levels[0] or None, levels[1] if len(levels) > 1 else None
    row["event_id"] = hashlib.md5(line).hexdigest()
    return row
