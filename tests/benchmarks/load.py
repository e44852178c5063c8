"""The whole batch job, from a file to MySQL, Redis and Cassandra on the same cores, beside the job without servers.

Limit: the same job with the embedded store alone, which reads the same rows and answers the same questions.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from app.batch.settings import SERVER_STORES
from app.local.java import get_java
from app.local.store_servers import store_servers
from tests.benchmarks.machine import described
from tests.benchmarks.spark_job import measure_job, write_events

ROWS: Final = 5_000_000


def run(rows: int = ROWS) -> dict[str, Any]:
    """Rows a second read, answered and loaded into every store, Spark's start included; the servers run before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_events(folder / "events.csv", rows)
        java = get_java().environment
        arguments = ["app.batch.job", "--events", str(file), "--json"]
        alone = measure_job([*arguments, "--out", str(folder / "alone")], java)
        with store_servers() as servers:
            if servers.missing:
                raise AssertionError(f"servers are missing: {servers.missing}")
            stores = ",".join(("embedded", *SERVER_STORES))
            job = measure_job(
                [*arguments, "--out", str(folder / "out"), "--stores", stores], java | servers.environment
            )
    report = json.loads(job.printed)
    return {
        "name": "load",
        "unit": "rows/s",
        "ours": round(rows / job.seconds),
        "naive": None,
        "limit": round(rows / alone.seconds),
        "ratio": None,
        "run": described("pyspark", rows=rows)
        | {
            "seconds": round(job.seconds, 1),
            "cpu_seconds": round(job.cpu_seconds, 1),
            "cpu_seconds_alone": round(alone.cpu_seconds, 1),
            "peak_memory_gib": round(job.peak_bytes / 2**30, 2),
            "stages": {name: round(took, 1) for name, took in report["seconds"].items()},
            "stores": {name: round(took, 1) for name, took in report["stores"].items()},
            "stages_alone": {name: round(took, 1) for name, took in json.loads(alone.printed)["seconds"].items()},
        },
    }
