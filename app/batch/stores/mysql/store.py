"""The MySQL store: how a run's tables are filled, counted and swapped in."""

import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa
import pymysql

from app.batch.errors import BatchError
from app.batch.folder import Folder
from app.batch.ingest import Ingested
from app.batch.stores import Run, Stored
from app.batch.stores.mysql.load import load, load_files
from app.batch.stores.mysql.schema import check_server, copy_history, drop, drop_all, make_databases, tables_in
from app.batch.stores.mysql.server import MysqlConnection, lost, quoted, run
from app.batch.stores.mysql.session import Session
from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.stores.mysql.sums import sum_up
from app.batch.stores.mysql.tables import OURS, TABLES, Table, collation_of
from app.batch.tasks import SparkTasks, Tasks
from app.events.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_OLD: Final = "old-"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a table of this run was given: rows, and how long that took [s]."""

    rows: int
    seconds: float


class MysqlStore:
    """A store in a MySQL or MariaDB server. One run at a time writes to it; anybody may read meanwhile."""

    def __init__(self, settings: MysqlSettings) -> None:
        """Use the server that the settings name."""
        self._settings = settings
        self._session = Session(settings)
        self._run: Run | None = None
        self._loaded: dict[str, _Loaded] = {}
        self._sessions = 0

    @classmethod
    def from_environment(cls) -> Self:
        """The store that the environment names, see MysqlSettings. Raises SettingsError."""
        return cls(MysqlSettings.from_environment(os.environ))

    def open(self, run: Run) -> None:
        """Lock the database, and remove what unfinished runs left.

        Raises:
            StoreError: the server does not answer, or refuses.
            StoreBusyError: another run is writing.
        """
        self._run = run
        self._session = Session(self._settings)
        self._loaded = {}
        self._sessions = 0
        self._session.do("opened", self._clear)

    def write_events(self, spark: "SparkSession", ingested: Ingested) -> Stored:
        """Load events by hour, sessions by 5 minutes, and bad events by reason, from the executors."""
        tasks = SparkTasks(spark.sparkContext)
        folder = ingested.folder.below("mysql")
        try:
            began = time.monotonic()
            summed = sum_up(tasks, ingested, self._running.id, folder)
            self._sessions = summed.sessions
            for table in summed.tables:
                self._load_files(table, tasks, folder.below(table), began)
                began = time.monotonic()
        finally:
            folder.remove()
        self._session.do("filled", self._write_brands)
        return self._session.do("counted", self._stored)

    def write_answer(self, question: str, answer: pa.Table) -> None:
        """Load it into a table of the question's name."""
        self._load_rows(question, answer)

    def write_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: Mapping[str, str]) -> None:
        """Load the tables of the run, below what they hold of the runs before."""
        name = {"run": self._running.id}
        sources = [{**name, "number": i, **asdict(source)} for i, source in enumerate(ingested.sources)]
        loads = [
            {**name, "table_name": table, "rows": loaded.rows, "seconds": loaded.seconds}
            for table, loaded in self._loaded.items()
        ]
        self._load_history("ledger", [{**name, **asdict(ledger)}])
        self._load_history("sources", sources)
        self._load_history("loads", loads)
        self._load_history("not_loaded", [{**name, "store": store, "error": e} for store, e in not_loaded.items()])
        self._load_history("runs", [name | self._session.do("asked", self._times) | self._rates(ledger)])

    def verify(self, ledger: Ledger) -> None:
        """Count what the tables of the run hold, and read the ledger back."""
        self._session.do("counted", lambda connection: self._verify(connection, ledger))

    def commit(self) -> None:
        """Swap the tables of the run in, all in one statement, and drop those of the run before."""
        self._session.do("swapped", self._swap)
        try:
            self._session.do("cleared", self._drop_staged)
        except BatchError as error:  # readers have the run already
            _log.warning("tables of the run before are left to the next run to drop: %s", error)

    def close(self) -> None:
        """Drop what was not swapped in, and let other runs in."""
        if self._session.connection is None:
            return
        with suppress(pymysql.Error):  # a run that opens the store drops it too
            self._drop_staged(self._session.connection)
        self._session.disconnect()
        self._run = None

    @property
    def _running(self) -> Run:
        if self._run is None:
            raise BatchError("the store is not open")
        return self._run

    def _clear(self, connection: MysqlConnection) -> None:
        check_server(connection, self._settings)
        make_databases(connection, self._settings.database, self._settings.staging)
        drop_all(connection, self._settings.staging)

    def _load_files(self, table: str, tasks: Tasks, folder: Folder, began: float) -> None:
        def step(connection: MysqlConnection) -> int:
            self._prepare(connection, TABLES[table])
            return load_files(tasks, self._settings, self._staged(table), folder)

        rows = self._session.do("loaded", step)
        self._loaded[table] = _Loaded(rows, time.monotonic() - began)

    def _load_rows(self, table: str, rows: pa.Table) -> None:
        def step(connection: MysqlConnection) -> int:
            self._prepare(connection, TABLES[table])
            return load(connection, self._staged(table), rows.to_batches())

        began = time.monotonic()
        count = self._session.do("loaded", step)
        self._loaded[table] = _Loaded(count, time.monotonic() - began)

    def _load_history(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._load_rows(table, pa.Table.from_pylist(rows, TABLES[table].schema))

    def _staged(self, table: str) -> tuple[str, str]:
        """Where a table of this run is until it is swapped in; another run's late rows cannot get there."""
        return self._settings.staging, f"{table}-{self._running.id}".lower()  # as some servers keep all names

    def _prepare(self, connection: MysqlConnection, table: Table) -> None:
        """Make the table of this run, with the rows of runs before where it keeps them."""
        staged = quoted(*self._staged(table.name))
        ((version,),) = run(connection, "SELECT VERSION()")
        run(connection, f"DROP TABLE IF EXISTS {staged}")
        run(connection, table.create(staged, collation_of(version)))
        if table.history:
            copy_history(connection, table, self._settings.database, staged)

    def _write_brands(self, connection: MysqlConnection) -> None:
        self._prepare(connection, TABLES["brands"])
        began = time.monotonic()
        run(
            connection,
            f"INSERT INTO {quoted(*self._staged('brands'))} (brand, events, purchases, revenue) "  # noqa: S608 - our own names
            "SELECT brand, SUM(events), SUM(IF(event_type = 'purchase', events, 0)), "
            "SUM(IF(event_type = 'purchase', price_sum, 0)) "
            f"FROM {quoted(*self._staged('activity'))} GROUP BY brand",
        )
        self._loaded["brands"] = _Loaded(self._count(connection, "brands"), time.monotonic() - began)

    def _count(self, connection: MysqlConnection, table: str) -> int:
        ((count,),) = run(connection, f"SELECT COUNT(*) FROM {quoted(*self._staged(table))}{self._of_run(table)}")  # noqa: S608
        return int(count)

    def _sum(self, connection: MysqlConnection, table: str, column: str = "events") -> int:
        ((total,),) = run(
            connection,
            f"SELECT COALESCE(SUM({column}), 0) FROM {quoted(*self._staged(table))}{self._of_run(table)}",  # noqa: S608
        )
        return int(total)

    def _of_run(self, table: str) -> str:
        return f" WHERE run = '{self._running.id}'" if TABLES[table].history else ""

    def _stored(self, connection: MysqlConnection) -> Stored:
        return Stored(self._sum(connection, "activity"), self._sum(connection, "bad_event_counts"))

    def _times(self, connection: MysqlConnection) -> dict[str, datetime | None]:
        ((first, last),) = run(connection, f"SELECT MIN(time), MAX(time) FROM {quoted(*self._staged('activity'))}")  # noqa: S608
        times = {"first_event": first, "last_event": last}
        return {name: time and time.replace(tzinfo=UTC) for name, time in times.items()}

    def _rates(self, ledger: Ledger) -> dict[str, Any]:
        finished_at = datetime.now(UTC)
        seconds = (finished_at - self._running.started_at).total_seconds()
        return {
            "started_at": self._running.started_at,
            "finished_at": finished_at,
            "seconds": seconds,
            "rows_per_second": ledger.read / seconds if seconds else 0.0,
        }

    def _verify(self, connection: MysqlConnection, ledger: Ledger) -> None:
        stored = self._stored(connection)
        columns = ", ".join(quoted(field.name) for field in fields(Ledger))
        rows = run(connection, f"SELECT {columns} FROM {quoted(*self._staged('ledger'))}{self._of_run('ledger')}")  # noqa: S608
        kept = [Ledger(*row) for row in rows]
        if kept != [ledger] or (stored.events, stored.bad_events) != (ledger.stored, ledger.bad):
            raise LedgerError(
                f"MySQL at {self._settings.address} holds {stored.events:,} events and {stored.bad_events:,} bad "
                f"events and the ledger {kept}, but the run's ledger is {ledger}"
            )
        sessions = self._sum(connection, "visitors", "started")
        if sessions != self._sessions:
            raise LedgerError(
                f"visitors of MySQL at {self._settings.address} counts {sessions:,} sessions, but there are "
                f"{self._sessions:,}"
            )
        missing = TABLES.keys() - self._loaded.keys()
        if missing:
            raise LedgerError(f"MySQL at {self._settings.address} was not given {', '.join(sorted(missing))}")
        for table, loaded in self._loaded.items():
            count = self._count(connection, table)
            if count != loaded.rows:
                raise LedgerError(
                    f"{table} of MySQL at {self._settings.address} holds {count:,} rows, but was given {loaded.rows:,}"
                )

    def _swap(self, connection: MysqlConnection) -> None:
        """What is still staged is what is still to be swapped: after a lost answer, nothing or everything is."""
        database, staging = self._settings.database, self._settings.staging
        shown, staged = tables_in(connection, database), tables_in(connection, staging)
        renames = [
            (quoted(database, name), quoted(staging, _OLD + name))
            for name, comment in shown.items()
            if self._staged(name)[1] in staged or (comment.startswith(OURS) and name not in TABLES)
        ]
        renames += [
            (quoted(*self._staged(name)), quoted(database, name)) for name in TABLES if self._staged(name)[1] in staged
        ]
        missing = [name for name in TABLES if self._staged(name)[1] not in staged]
        if missing and (len(missing) < len(TABLES) or not self._shows(connection, shown)):
            raise lost(self._settings)
        drop(connection, staging, [name for name in staged if name.startswith(_OLD)])
        if renames:
            run(connection, "RENAME TABLE " + ", ".join(f"{before} TO {after}" for before, after in renames))

    def _shows(self, connection: MysqlConnection, shown: Collection[str]) -> bool:
        """Whether readers see this run, or one after it."""
        runs = quoted(self._settings.database, "runs")
        return "runs" in shown and bool(run(connection, f"SELECT 1 FROM {runs} WHERE run = %s", self._running.id))  # noqa: S608

    def _drop_staged(self, connection: MysqlConnection) -> None:
        drop_all(connection, self._settings.staging)
