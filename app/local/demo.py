"""The demo: both pipelines on one machine, over the same events, and a report of what they found.

Real parts only: the emulators speak Google's protocols, the pipelines are those that run in the cloud. The replayer
publishes to Pub/Sub while Beam reads; Spark reads the same files from Cloud Storage and loads MySQL, Redis and
Cassandra, as many of them as the machine can have. Then the ledgers must add up and every question must have the same
answer from both.
"""

import json
import logging
import os
import platform
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile, rmtree
from typing import Final, TypeVar

import pyarrow.parquet as pq

from app.analytics import QUESTIONS
from app.analytics.parity import conform, differences
from app.analytics.sql import compile_question
from app.batch.progress import Progress
from app.dashboards.report.run_facts import BadRows, RunFacts, SourceFile, Stage
from app.dashboards.tableau.build import LIVE, PACKAGE, SOURCES
from app.events.ledger import Ledger, read_ledgers, write_ledgers
from app.events.upload import object_urls, upload
from app.gcp.clients import bigquery_client
from app.local.emulators import Emulators, environment
from app.local.java import Java
from app.local.job import module_job
from app.local.pubsub import PROJECT
from app.local.store_reads import StoreRead, read_store
from app.local.store_servers import StoreServers
from app.local.warehouse import create_question_views, create_warehouse
from app.stream.replayer import replay
from app.stream.replayer_settings import ReplaySettings, ReplaySummary

DATASET: Final = f"{PROJECT}.shop"
IDLE_SECONDS: Final = 3
"""The pipeline ends when nothing came for so long; it starts together with the replay, on a new subscription."""

_STREAM_STAGE: Final = "replay and streaming pipeline"
_BATCH_STAGE: Final = "batch job"
_ROW_STAGES: Final = (_STREAM_STAGE, _BATCH_STAGE)
_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_FILES: Final = ("ledger.json", "parity.json", "run.json", "report.html", "batch.duckdb", PACKAGE, LIVE)
_FOLDERS: Final = ("answers", SOURCES)
RESULTS: Final = (*_FILES, *_FOLDERS)
"""What a run leaves in its folder."""


@dataclass
class Outcome:
    """What a run of the demo found."""

    ledgers: dict[str, Ledger] = field(default_factory=dict)
    differences: dict[str, list[str]] = field(default_factory=dict)
    """By question, how the answers of the two pipelines differ; empty where they agree."""
    stages: list[Stage] = field(default_factory=list)
    bad_rows: list[BadRows] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stores: list[StoreRead] = field(default_factory=list)

    @property
    def parity(self) -> dict[str, bool]:
        """By question, whether both pipelines gave the same answer."""
        return {question: not found for question, found in self.differences.items()}


class Demo:
    """One run over event files, with the emulators up and their variables set; results go to `out`."""

    def __init__(
        self, emulators: Emulators, files: Sequence[Path], out: Path, folder: Path, progress: Progress
    ) -> None:
        """`folder` is for logs and staging; it must be removed by the caller."""
        self._emulators = emulators
        self._files = files
        self._out = out
        self._folder = folder
        self._progress = progress
        self._rows_by_source: dict[str, int] = {}
        self.outcome = Outcome()

    def run(self, java: Java | None, servers: "Future[StoreServers]") -> Outcome:
        """Run streaming, then batch where there is a Java, and compare. The servers may start meanwhile.

        Raises:
            JobError, BatchError, ServerError, GoogleAPICallError: a part failed.
            LedgerError: a ledger does not add up.
        """
        _clear(self._out)
        urls = self._timed("both", "upload", self._upload)
        self._stream(urls)
        if java:
            self._batch(urls, java, self._timed("both", "servers of the stores", servers.result))
            self._compare()
        write_ledgers(self.outcome.ledgers, self._out / "ledger.json")
        (self._out / "parity.json").write_text(json.dumps(self.outcome.parity, indent=2) + "\n")
        for name, ledger in self.outcome.ledgers.items():
            ledger.check(f"{name} run")
        return self.outcome

    def facts(self, command: str) -> RunFacts:
        """How the results were made, for the report."""
        return RunFacts(
            command=command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            files=tuple(
                SourceFile(file.name, file.stat().st_size, self._rows_by_source.get(file.name)) for file in self._files
            ),
            stages=tuple(self.outcome.stages),
            bad_rows=tuple(self.outcome.bad_rows),
            versions={name: version(name) for name in ("apache-beam", "pyspark", "pyarrow", "ibis-framework")},
            machine={"cores": str(os.cpu_count()), "system": platform.platform(), "python": platform.python_version()},
            notes=tuple(self.outcome.notes),
            stores={read.store: f"{read.holds}; {read.answers}" for read in self.outcome.stores},
        )

    def _timed(self, pipeline: str, name: str, work: Callable[[], _T]) -> _T:
        with self._progress.stage(name):
            result = work()
        rows = sum(self._rows_by_source.values()) if name in _ROW_STAGES else None
        self.outcome.stages.append(Stage(pipeline, name, round(self._progress.seconds[name], 2), rows))
        return result

    def _upload(self) -> list[str]:
        bucket = self._emulators.gcs.create_bucket("shop-events")
        paths = [str(file) for file in self._files]
        urls = object_urls(paths, f"{bucket}/")
        for path, url in zip(paths, urls, strict=True):
            upload(path, url)
        return urls

    def _stream(self, urls: list[str]) -> None:
        archive = self._emulators.gcs.create_bucket("shop-archive")
        topic = self._emulators.pubsub.create_topic("events")
        subscription = self._emulators.pubsub.create_subscription("stream", topic)
        create_warehouse(DATASET)
        options = {
            "runner": "FnApiRunner",
            "project": PROJECT,
            "subscription": subscription,
            "dataset": DATASET,
            "archive": archive,
            "until_idle": IDLE_SECONDS,
            "shards": 1,
            "keep_days": 0,
        }
        arguments = ["--pull", *(f"--{name}={value}" for name, value in options.items())]

        def run() -> ReplaySummary:
            with module_job("streaming pipeline", "app.stream.pipeline", arguments, self._folder) as job:
                summary = _replay(topic, urls)
                job.wait()
            self._rows_by_source = {Path(source).name: rows for source, rows in summary.rows_by_source.items()}
            return summary

        summary = self._timed("stream", _STREAM_STAGE, run)
        self._timed("stream", "questions in BigQuery", self._ask_bigquery)
        self.outcome.ledgers["stream"] = self._stream_ledger(summary.rows)

    def _stream_ledger(self, rows_read: int) -> Ledger:
        """The warehouse's ledger, with the rows that the replayer read in place of those that arrived."""
        client = bigquery_client()
        query = f"SELECT stored, duplicates, bad FROM `{DATASET}.ledger` WHERE source IS NULL"  # noqa: S608
        (row,) = client.query(query).result()
        bad = f"SELECT reason, field, COUNT(*) AS n FROM `{DATASET}.bad_events` GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"  # noqa: S608
        self.outcome.bad_rows = [BadRows(r.reason, r.n, r.field) for r in client.query(bad).result()]
        return Ledger(rows_read, row.stored, row.duplicates, row.bad)

    def _ask_bigquery(self) -> None:
        folder = self._out / "answers" / "stream"
        folder.mkdir(parents=True)
        create_question_views(DATASET)
        client = bigquery_client()
        for name, question in QUESTIONS.items():
            sql = compile_question(name, "bigquery", events=f"{DATASET}.events")
            answer = client.query(sql).result().to_arrow(create_bqstorage_client=False)
            pq.write_table(conform(question, answer), folder / f"{name}.parquet")

    def _batch(self, urls: list[str], java: Java, servers: StoreServers) -> None:
        store = self._folder / "batch"
        for name, why in servers.missing.items():
            self.outcome.notes.append(f"The store {name} was left out. {why}")
            _log.warning(self.outcome.notes[-1])

        def run() -> None:
            stores = ",".join(("embedded", *servers.running))
            arguments = ["--events", *urls, "--out", str(store), "--stores", stores]
            environment = java.environment | servers.environment
            with module_job("batch job", "app.batch.job", arguments, self._folder, environment) as job:
                job.wait()

        self._timed("batch", _BATCH_STAGE, run)
        folder = self._out / "answers" / "batch"
        folder.mkdir(parents=True)
        for name, question in QUESTIONS.items():
            answer = conform(question, pq.read_table(store / "answers" / f"{name}.parquet"))
            pq.write_table(answer, folder / f"{name}.parquet")
        copyfile(store / "batch.duckdb", self._out / "batch.duckdb")
        self.outcome.ledgers["batch"] = read_ledgers(store / "ledger.json")["batch"]
        with environment(servers.environment):
            self.outcome.stores = [read_store(name, store / "events") for name in servers.running]

    def _compare(self) -> None:
        answers = self._out / "answers"
        for name in QUESTIONS:
            stream, batch = (pq.read_table(answers / one / f"{name}.parquet") for one in ("stream", "batch"))
            self.outcome.differences[name] = differences(stream, batch)


def _replay(topic: str, urls: list[str]) -> ReplaySummary:
    """Replay in another thread, so that a signal to this one is heard; the replay stops with it."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(replay, ReplaySettings(topic=topic, files=tuple(urls)), stop=stop).result()
        finally:
            stop.set()


def _clear(out: Path) -> None:
    """Remove an earlier run's results, and nothing else."""
    for name in _FILES:
        with suppress(FileNotFoundError):
            (out / name).unlink()
    for folder in _FOLDERS:
        rmtree(out / folder, ignore_errors=True)
