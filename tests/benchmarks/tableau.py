"""An answer of a million rows as a Tableau extract, against rows handed to Hyper one by one.

Naive: what Hyper's own examples do, `Inserter.add_row` for each row of Python values. Limit: Hyper loading the same
rows from an Arrow file that is there already, with all its threads, into a file that may differ each time.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tableauhyperapi import (
    Connection,
    CreateMode,
    HyperProcess,
    Inserter,
    SqlType,
    TableDefinition,
    Telemetry,
    escape_string_literal,
)

from app.dashboards.tableau.extracts import TABLE, write_extracts
from app.dashboards.tableau.package import write_package
from tests.benchmarks.machine import described

ROWS: Final = 1_000_000
NAIVE_ROWS: Final = 50_000
CENT: Final = pa.scalar(Decimal("0.01"))
_COLUMNS: Final = (
    TableDefinition.Column("user_id", SqlType.big_int()),
    TableDefinition.Column("department", SqlType.text()),
    TableDefinition.Column("revenue", SqlType.numeric(18, 2)),
    TableDefinition.Column("share", SqlType.double()),
)


def run(rows: int = ROWS, naive_rows: int = NAIVE_ROWS) -> dict[str, Any]:
    """Rows a second of an extract (`ours`), of rows one by one (`naive`) and of Hyper's own loading (`limit`)."""
    # In a process of its own, so that its memory can be told from that of what ran before.
    command = [sys.executable, "-m", "tests.benchmarks.tableau", str(rows)]
    ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    table = _table(rows)
    naive = naive_rows / _naive(table.slice(0, naive_rows))
    return {
        "name": "tableau",
        "unit": "rows/s",
        "ours": round(rows / ours["seconds"]),
        "naive": round(naive),
        "limit": round(rows / _limit(table)),
        "ratio": round(rows / ours["seconds"] / naive, 1),
        "run": described("tableauhyperapi", "pyarrow", rows=rows, naive_rows=naive_rows, **ours),
    }


def _ours(rows: int) -> dict[str, Any]:
    """Seconds and memory to store an answer and to package it, with the answer in memory before."""
    table = _table(rows)
    before = _peak(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        files = write_extracts({"answer": table}, Path(folder))
        seconds = time.perf_counter() - start
        package = Path(folder) / "Shop.twbx"
        write_package(package, b"<workbook />", files)
        return {
            "seconds": round(seconds, 2),
            "package_seconds": round(time.perf_counter() - start - seconds, 2),
            "answer_mb": round(table.nbytes / 1e6),
            "extract_mb": round(files["answer"].stat().st_size / 1e6, 1),
            "package_mb": round(package.stat().st_size / 1e6, 1),
            "python_added_mb": round(_peak(resource.RUSAGE_SELF) - before),
            "hyper_mb": round(_peak(resource.RUSAGE_CHILDREN)),
        }


def _naive(table: pa.Table) -> float:
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    with _connection() as connection:
        start = time.perf_counter()
        with Inserter(connection, TableDefinition(TABLE, _COLUMNS)) as inserter:
            for row in rows:
                inserter.add_row(row)
            inserter.execute()
        return time.perf_counter() - start


def _limit(table: pa.Table) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "answer.arrows")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        with _connection() as connection:
            start = time.perf_counter()
            connection.execute_command(f"COPY {TABLE} FROM {escape_string_literal(path)} WITH (FORMAT arrowstream)")
            return time.perf_counter() - start


@contextmanager
def _connection() -> Iterator[Connection]:
    """A new extract without rows."""
    with (
        tempfile.TemporaryDirectory() as folder,
        HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters={"log_config": ""}) as hyper,
        Connection(hyper.endpoint, Path(folder) / "a.hyper", CreateMode.CREATE_AND_REPLACE) as connection,
    ):
        connection.catalog.create_schema(TABLE.schema_name)
        connection.catalog.create_table(TableDefinition(TABLE, _COLUMNS))
        yield connection


def _table(rows: int) -> pa.Table:
    chance = np.random.default_rng(7)
    cents = pa.array(chance.integers(0, 10**7, rows))
    names = pa.array([f"department {number}" for number in range(200)])
    return pa.table(
        {
            "user_id": chance.integers(500_000_000, 600_000_000, rows),
            "department": names.take(pa.array(chance.integers(0, 200, rows))),
            "revenue": pc.multiply(cents.cast(pa.decimal128(19, 0)), CENT).cast(pa.decimal128(18, 2)),
            "share": chance.random(rows),
        }
    )


def _peak(who: int) -> float:
    """The most memory so far, in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(who).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    print(json.dumps(_ours(int(sys.argv[1]))))
