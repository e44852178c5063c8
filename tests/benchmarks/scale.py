"""The batch job over 1, 5 and 20 million generated events: whether time and memory grow no faster than the rows do."""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from app.local.java import get_java
from tests.benchmarks.machine import described
from tests.benchmarks.spark_job import measure_job, write_events

SIZES: Final = (1_000_000, 5_000_000, 20_000_000)


def run(rows: int = 0) -> list[dict[str, Any]]:
    """Rows a second, seconds and peak memory by size, smallest first; all of them or the one that is given."""
    results = []
    for size in (rows,) if rows else SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            file = write_events(folder / "events.csv", size)
            arguments = ["--events", str(file), "--out", str(folder / "out"), "--json"]
            job = measure_job(["app.batch.job", *arguments], get_java().environment)
            parquet = sum(part.stat().st_size for part in (folder / "out" / "latest").rglob("*.parquet"))
        results.append(
            {
                "name": "scale",
                "unit": "rows/s",
                "ours": round(size / job.seconds),
                "naive": None,
                "limit": None,
                "ratio": None,
                "run": described("pyspark", rows=size)
                | {
                    "seconds": round(job.seconds, 1),
                    "cpu_seconds": round(job.cpu_seconds, 1),
                    "peak_memory_gib": round(job.peak_bytes / 2**30, 2),
                    "parquet_bytes_a_row": round(parquet / size, 1),
                    "stages": {name: round(took, 1) for name, took in json.loads(job.printed)["seconds"].items()},
                },
            }
        )
    return results
