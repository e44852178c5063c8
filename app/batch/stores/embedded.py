"""The embedded store: Parquet files and a DuckDB file in one local folder, no server.

    out/
      events/event_date=2019-10-01/*.parquet   every event once, columns of EVENTS
      bad_events/*.parquet                     every bad event, columns of BAD_EVENTS
      answers/QUESTION.parquet                 the answers
      batch.duckdb                             a table for each answer; ledger, runs, sources, not_loaded
      ledger.json                              {"batch": {"read", "stored", "duplicates", "bad"}}; "not_loaded" says
                                               which other stores do not hold the run, and why, where there are such
      latest -> runs/20191101T000000-1a2b3c    the run that all of these show

All but `latest` are links through it. A run is written into a folder of its own and shown by one rename of `latest`,
so a reader sees the run before or the run after, whole.
"""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from app.batch.errors import BatchError, DiskFullError, SettingsError, StoreBusyError
from app.batch.folder import link_or_copy
from app.batch.ingest import Ingested
from app.batch.stores import RUN_ID, Run, Stored
from app.batch.tasks import DISK_FULL
from app.events.ledger import Ledger, LedgerError, write_ledgers
from app.output_folder import NotOursError, claim

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LATEST: Final = "latest"
DATABASE: Final = "batch.duckdb"
LEDGER: Final = "ledger.json"
_RUNS: Final = "runs"
_LOCK: Final = ".lock"
_SHOWN: Final = ("events", "bad_events", "answers", DATABASE, LEDGER)
_SOURCES: Final = pa.schema(
    [
        ("run", pa.string()),
        ("path", pa.string()),
        *((name, pa.int64()) for name in ("size", "rows", "events", "duplicates", "bad")),
    ]
)
_RUN: Final = pa.schema(
    [("run", pa.string()), ("started_at", pa.timestamp("us", "UTC")), ("finished_at", pa.timestamp("us", "UTC"))]
)
_NOT_LOADED: Final = pa.schema([("run", pa.string()), ("store", pa.string()), ("error", pa.string())])


class EmbeddedStore:
    """A store in a local folder. One run at a time writes to it; anybody may read meanwhile."""

    def __init__(self, out: Path) -> None:
        """Use the folder `out`, made if it is not there."""
        self._out = out.absolute()
        self._lock: IO[bytes] | None = None
        self._run: Run | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None

    def open(self, run: Run) -> None:
        """Lock the folder, remove unfinished runs, make the run's own folder."""
        try:
            claim(self._out, (*_SHOWN, LATEST))
            self._lock = (self._out / _LOCK).open("ab")
        except NotOursError as error:
            raise SettingsError(str(error)) from error
        except OSError as error:
            raise BatchError(f"{self._out} cannot be written: {error.strerror}; give another folder") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusyError(
                f"another run is writing to {self._out}; wait for it, or give another folder"
            ) from error
        self._run = run
        self._remove_runs(but=self._shown())
        with _explained(self._folder):
            (self._folder / "answers").mkdir(parents=True)
            self._connection = duckdb.connect(self._folder / DATABASE, config={"threads": 1})
            self._connection.execute("SET TimeZone = 'UTC'")

    def write_events(self, spark: "SparkSession", ingested: Ingested) -> Stored:
        """Take the Parquet files as they are: by a link where the staging folder is on the same disk, else a copy."""
        with _explained(self._folder):
            for name in ("events", "bad_events"):
                if ingested.folder.is_local:
                    shutil.copytree(ingested.folder.path(name), self._folder / name, copy_function=link_or_copy)
                    continue
                frame = ingested.events(spark) if name == "events" else ingested.bad_events(spark)
                writer = frame.write.partitionBy("event_date") if name == "events" else frame.write
                writer.parquet(str(self._folder / name))
        return self._stored()

    def write_answer(self, question: str, answer: pa.Table) -> None:
        """Write it to a Parquet file and a table of the question's name."""
        with _explained(self._folder):
            pq.write_table(answer, self._folder / "answers" / f"{question}.parquet", compression="zstd")
        self._write_table(question, answer)

    def write_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: Mapping[str, str]) -> None:
        """Write the tables `ledger`, `sources`, `runs` and `not_loaded`, and the ledger as JSON."""
        run = self._running
        self._write_table("ledger", pa.Table.from_pylist([{"run": run.id, **asdict(ledger)}]))
        self._write_table(
            "sources",
            pa.Table.from_pylist([{"run": run.id, **asdict(source)} for source in ingested.sources], _SOURCES),
        )
        times = {"started_at": run.started_at, "finished_at": datetime.now(UTC)}
        self._write_table("runs", pa.Table.from_pylist([{"run": run.id, **times}], _RUN))
        failed = [{"run": run.id, "store": store, "error": error} for store, error in not_loaded.items()]
        self._write_table("not_loaded", pa.Table.from_pylist(failed, _NOT_LOADED))
        with _explained(self._folder):
            write_ledgers({"batch": ledger}, self._folder / LEDGER, not_loaded)

    def verify(self, ledger: Ledger) -> None:
        """Count the rows of the Parquet files, and read the ledger back."""
        stored = self._stored()
        kept = Ledger(**self._query("SELECT read, stored, duplicates, bad FROM ledger"))
        if kept != ledger or (stored.events, stored.bad_events) != (ledger.stored, ledger.bad):
            raise LedgerError(
                f"the store holds {stored.events:,} events and {stored.bad_events:,} bad events and the ledger {kept}, "
                f"but the run's ledger is {ledger}"
            )

    def commit(self) -> None:
        """Point `latest` to the run, and remove the run before it."""
        self._disconnect()
        with _explained(self._folder):
            for name in _SHOWN:
                _replace_link(self._out / name, Path(LATEST) / name)
            _replace_link(self._out / LATEST, Path(_RUNS) / self._running.id)
        self._remove_runs(but=self._running.id)

    def close(self) -> None:
        """Remove the run's folder unless it was committed, and unlock."""
        self._disconnect()
        if self._lock is None:
            return
        if self._run:
            self._remove_runs(but=self._shown())
        self._lock.close()
        self._lock = self._run = None

    @property
    def _running(self) -> Run:
        if self._run is None:
            raise BatchError("the store is not open")
        return self._run

    @property
    def _folder(self) -> Path:
        return self._out / _RUNS / self._running.id

    def _shown(self) -> str | None:
        with suppress(OSError):
            return (self._out / LATEST).readlink().name
        return None

    def _remove_runs(self, *, but: str | None) -> None:
        runs = self._out / _RUNS
        for folder in runs.iterdir() if runs.is_dir() else ():
            if folder.name != but and RUN_ID.fullmatch(folder.name):
                shutil.rmtree(folder, ignore_errors=True)

    def _stored(self) -> Stored:
        return Stored(_rows_below(self._folder / "events"), _rows_below(self._folder / "bad_events"))

    def _write_table(self, name: str, rows: pa.Table) -> None:
        with _explained(self._folder):
            self._database.register("incoming", rows)
            self._database.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT * FROM incoming')  # noqa: S608 - a name of our own
            self._database.unregister("incoming")

    def _query(self, sql: str) -> dict[str, int]:
        cursor = self._database.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        (row,) = cursor.fetchall()
        return dict(zip(names, row, strict=True))

    @property
    def _database(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise BatchError("the store is not open")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn an error of the file system into one that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(f"no space left in {folder}: {error}") from error
        raise BatchError(f"{folder} cannot be written: {error}") from error
    except duckdb.Error as error:
        if any(sign in str(error) for sign in ("No space left", "disk")):
            raise DiskFullError(f"no space left in {folder}: {error}") from error
        raise BatchError(f"{folder / DATABASE} cannot be written: {error}") from error


def _rows_below(folder: Path) -> int:
    """Rows of the Parquet files in a folder, as their footers count them."""
    return sum(pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet"))


def _replace_link(link: Path, target: Path) -> None:
    """Make a symbolic link, in place of what has its name, at once."""
    part = link.with_name(f".{link.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)
