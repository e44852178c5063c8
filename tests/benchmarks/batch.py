"""The batch job from a CSV file to Parquet and all answers, beside the usual way and beside DuckDB.

Naive: Spark reads the CSV with inferred types and answers each question from it anew, without Parquet or facts. It gets
fewer rows, since it is slow; its rate is what counts. Limit: DuckDB reads the same file and answers the same questions
from stored facts, without event ids, checks, bad rows or Parquet.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import duckdb

from app.analytics import FACTS, QUESTIONS
from app.analytics.sql import compile_fact, compile_question
from app.local.java import get_java
from tests.benchmarks.machine import described
from tests.benchmarks.spark_job import measure_job, write_events

ROWS: Final = 5_000_000
NAIVE_ROWS: Final = 200_000
_COLUMNS: Final = """
    event_time, event_type, product_id, category_id, nullif(category_code, '') AS category_code,
    nullif({part[0]}, '') AS department, nullif({part[1]}, '') AS sub_category, nullif({part[2]}, '') AS product,
    nullif(brand, '') AS brand, CAST(price AS DECIMAL(12, 2)) AS price, user_id,
    nullif(user_session, '') AS user_session, price = 0 AS zero_price, user_session IS NULL AS missing_session
"""


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS) -> dict[str, Any]:
    """Rows a second read, stored and answered, Spark's start included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_events(folder / "events.csv", rows)
        environment = get_java().environment
        ours = measure_job(["app.batch.job", "--events", str(file), "--out", str(folder / "out")], environment)
        limit = _duckdb(file)
        few = write_events(folder / "few.csv", naive_rows)
        naive = measure_job(["tests.benchmarks.batch_naive", str(few)], environment)
    return {
        "name": "batch",
        "unit": "rows/s",
        "ours": round(rows / ours.seconds),
        "naive": round(naive_rows / naive.seconds),
        "limit": round(rows / limit),
        "ratio": round(rows / ours.seconds / (naive_rows / naive.seconds), 1),
        "run": described("pyspark", "duckdb", rows=rows, naive_rows=naive_rows, questions=len(QUESTIONS))
        | {"seconds": round(ours.seconds, 1), "peak_memory_gib": round(ours.peak_bytes / 2**30, 2)},
    }


def _duckdb(file: Path) -> float:
    began = time.monotonic()
    parts = [f"split_part(category_code, '.', {number})" for number in (1, 2)]
    parts.append("array_to_string(list_slice(string_split(category_code, '.'), 3, NULL), '.')")
    with duckdb.connect() as engine:
        engine.execute(f"SET threads = {os.cpu_count()}")
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute("SET enable_progress_bar = false")
        rows = f"SELECT DISTINCT * FROM read_csv('{file}', header = true, types = {{'event_time': 'VARCHAR'}})"
        times = "CAST(replace(event_time, ' UTC', '+00') AS TIMESTAMPTZ)"
        columns = _COLUMNS.format(part=parts)
        engine.execute(
            f"CREATE TABLE events AS SELECT CAST(row_number() OVER () AS VARCHAR)::BLOB AS event_id, {columns} "
            f"FROM (SELECT * REPLACE ({times} AS event_time) FROM ({rows}))"
        )
        stored: list[str] = []
        for name in FACTS:
            engine.execute(f"CREATE TABLE {name} AS {compile_fact(name, 'duckdb', facts=stored)}")
            stored.append(name)
        for name in QUESTIONS:
            engine.execute(compile_question(name, "duckdb", facts=stored)).fetchall()
    return time.monotonic() - began
