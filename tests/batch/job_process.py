"""The batch job in processes of its own, so that no other test's Spark is in its way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from app.analytics import FACTS, QUESTIONS
from app.analytics.sql import compile_fact, compile_question
from app.batch.base import KEPT
from app.events.csv_codec import decode
from app.events.files import read_blocks
from app.events.ledger import Ledger, read_ledgers
from app.events.schema import EVENTS
from app.local.java import get_java

ROOT = Path(__file__).resolve().parents[2]

# One JVM for many runs: Spark starts and stops in it each time, but it need not warm up.
_LOOP = """
import json, sys
from app.batch.job import main
for line in sys.stdin:
    code = main(json.loads(line))
    sys.stdout.write("code %d\\n" % code)
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Outcome:
    """The exit code of a run, what it printed, and what it said on the way."""

    code: int
    printed: str
    said: str


class Jobs:
    """Runs the job again and again in one process."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def run(self, *arguments: str | Path) -> Outcome:
        """One run of the command line."""
        assert self._process.stdin
        assert self._process.stdout
        said_before = self._log.stat().st_size
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        printed = ""
        for line in self._process.stdout:
            if line.startswith("code "):
                with self._log.open() as log:
                    log.seek(said_before)
                    return Outcome(int(line.split()[1]), printed, " ".join(log.read().split()))
            printed += line
        raise AssertionError(f"the process ended: {self._log.read_text()[-3000:]}")


@contextmanager
def jobs(folder: Path, **environment: str) -> Iterator[Jobs]:
    """A process that runs jobs, ended at the end."""
    log = folder / "jobs.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            cwd=ROOT,
            env=job_environment() | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Jobs(process, log)
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert "leaked" not in log.read_text(), "what a library says of itself when the process ends"


def job_environment() -> dict[str, str]:
    """The environment in which the job finds Java and this code."""
    return {**os.environ, **get_java().environment, "PYTHONPATH": str(ROOT), "COLUMNS": "400"}


def answers(out: Path) -> dict[str, pa.Table]:
    """Every answer as the store's Parquet files show it."""
    return {name: pq.read_table(out / "answers" / f"{name}.parquet") for name in QUESTIONS}


def ledger(out: Path) -> Ledger:
    """The ledger as the store shows it."""
    return read_ledgers(out / "ledger.json")["batch"]


def contents(out: Path) -> dict[str, list[Any]]:
    """All that the store shows, in a form that two runs of the same input share."""
    with duckdb.connect() as database:
        found = {
            name: database.execute(
                f"SELECT * EXCLUDE ({left_out}) FROM '{out}/{name}/**/*.parquet' ORDER BY ALL"
            ).fetchall()
            for name, left_out in (("events", "event_date"), ("bad_events", "ingest_time"))
            if list((out / name).rglob("*.parquet"))
        }
    found |= {name: table.to_pylist() for name, table in answers(out).items()}
    return found | {"ledger": [ledger(out)]}


def left_over(out: Path) -> list[str]:
    """What is in the staging folder beside the events that the next run may add to."""
    staging = out / ".staging"
    base = json.loads((staging / "base.json").read_text())["folder"]
    inside = [path.name for path in (staging / base).iterdir() if path.name not in KEPT]
    return inside + [path.name for path in staging.iterdir() if path.name not in ("base.json", base)]


def expected(files: Sequence[Path]) -> tuple[dict[str, pa.Table], Ledger]:
    """The answers and the ledger, made without the batch job: the rows decoded in order, each id once, DuckDB asked."""
    batches, read, bad = [], 0, 0
    for file in files:
        for block in read_blocks(str(file), 10_000):
            decoded = decode(block.data, source=str(file), first_row=block.first_row + 1)
            read += block.rows
            bad += len(decoded.bad)
            batches.append(decoded.events.select(EVENTS.names))
    every = pa.Table.from_batches(batches, EVENTS)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("every_row", every)
        database.execute("CREATE TABLE events AS SELECT DISTINCT ON (event_id) * FROM every_row")
        stored = database.execute("SELECT count(*) FROM events").fetchall()[0][0]
        made: list[str] = []
        for fact in FACTS:
            database.execute(f"CREATE TABLE {fact} AS {compile_fact(fact, 'duckdb', facts=made)}")
            made.append(fact)
        found = {
            name: database.sql(compile_question(name, "duckdb", facts=made)).to_arrow_table().cast(question.schema)
            for name, question in QUESTIONS.items()
        }
    return found, Ledger(read, stored, len(every) - stored, bad)
