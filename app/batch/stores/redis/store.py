"""The store itself: the steps of a run."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import pyarrow as pa

from app.batch.errors import BatchError, StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run, Stored
from app.batch.stores.redis import keys
from app.batch.stores.redis.commit import show
from app.batch.stores.redis.connection import Command, Connection
from app.batch.stores.redis.held import Held
from app.batch.stores.redis.keys import Keys
from app.batch.stores.redis.load import Load, Written, rank, set_fields, write_events
from app.batch.stores.redis.lock import RunLock
from app.batch.stores.redis.settings import RedisSettings
from app.batch.tasks import SparkTasks, Tasks
from app.events.ledger import Ledger

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_FUNNEL: Final = "session_funnel"
_CONVERSION: Final = "purchase_conversion_rate"
_ATTEMPTS: Final = 3
_KEYS_AT_ONCE: Final = 1_000


@dataclass
class _Loading:
    """A run that has opened the store."""

    run: Run
    lock: RunLock
    answers: dict[str, pa.Table] = field(default_factory=dict)
    written: Written | None = None
    named: set[str] = field(default_factory=set)
    """Names of keys beside those of events."""
    finished_at: str = ""

    @property
    def counted(self) -> Written:
        """What was written of events."""
        if self.written is None:
            raise BatchError("no events were written")
        return self.written


class RedisStore:
    """A store in Redis. One run at a time writes to it; anybody may read meanwhile."""

    def __init__(self, settings: RedisSettings) -> None:
        """Use a server; nothing is connected yet."""
        self._settings = settings
        self._keys = Keys(settings.prefix)
        self._connection = Connection(settings, as_text=True)
        self._loading: _Loading | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """A store by environment variables: `RedisSettings.from_environment`. Raises SettingsError."""
        return cls(RedisSettings.from_environment(environment))

    def open(self, run: Run) -> None:
        """Lock, and remove the keys of unfinished runs."""
        self._loading = _Loading(run, RunLock(self._settings, run.id))
        self._begin()

    def write_events(self, spark: "SparkSession", ingested: Ingested) -> Stored:
        """Write all that comes from events and bad events, again where the server lost some of it."""
        return self.write(SparkTasks(spark.sparkContext), ingested)

    def write(self, tasks: Tasks, ingested: Ingested) -> Stored:
        """Do what `write_events` says, with tasks that may run elsewhere than in Spark."""
        now = self._now
        for _ in range(_ATTEMPTS):
            self._begin()
            written = write_events(tasks, self._connection, self._load(ingested), ingested)
            if now.lock.is_held() and not self._held.lost(written):
                now.written = written
                return self._held.count(written)
        raise StoreError(
            f"Redis at {self._settings.address} lost what was written to it, {_ATTEMPTS} times: it was restarted "
            "without its data, or somebody deletes keys. What it showed before is as it was, if it has that"
        )

    def write_answer(self, question: str, answer: pa.Table) -> None:
        """Keep the funnel and the conversion by sub-category until the ledger is written; others are not for Redis."""
        if question in (_FUNNEL, _CONVERSION):
            self._now.answers[question] = answer

    def write_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: Mapping[str, str]) -> None:
        """Write the answers that were given, and last the run with its ledger."""
        now, load = self._now, self._load(ingested)
        funnel = _funnel(now.answers[_FUNNEL]) if _FUNNEL in now.answers else {}
        self._replace(load, keys.FUNNEL, [set_fields(load.key(keys.FUNNEL), funnel)] if funnel else [])
        names, rates = _conversion(now.answers[_CONVERSION]) if _CONVERSION in now.answers else ([], [])
        size = self._settings.board_size
        self._replace(load, keys.CONVERSION, list(rank(load.key(keys.CONVERSION), names[:size], rates[:size])))
        now.finished_at = datetime.now(UTC).isoformat()
        facts = {"id": now.run.id, "started_at": now.run.started_at.isoformat(), "finished_at": now.finished_at}
        facts |= {name: str(count) for name, count in asdict(ledger).items()}
        facts |= {f"not_loaded:{store}": error for store, error in not_loaded.items()}
        self._replace(load, keys.RUN, [set_fields(load.key(keys.RUN), facts)])

    def verify(self, ledger: Ledger) -> None:
        """Count the events by hour and by day, and look for every key and every name of the leaderboards."""
        self._held.check(self._now.counted, ledger)

    def commit(self) -> None:
        """Rename the run's keys to those that readers see, all at once."""
        now = self._now
        show(self._connection, self._settings, now.run.id, now.counted.names() | now.named, now.finished_at)

    def close(self) -> None:
        """Remove the run's keys unless it was committed, and unlock; the next run does it if the server is away."""
        if self._loading is None:
            return
        run, lock = self._loading.run, self._loading.lock
        self._loading = None
        try:
            self._connection.ask_once(lambda client: self._remove(client, run.id))
        except StoreError as error:
            _log.debug("the next run will remove what this one left: %s", error)
        finally:
            lock.release()
            self._connection.close()

    @property
    def _now(self) -> _Loading:
        if self._loading is None:
            raise BatchError("the store is not open")
        return self._loading

    @property
    def _held(self) -> Held:
        return Held(self._connection, self._settings, self._now.run.id)

    def _load(self, ingested: Ingested) -> Load:
        return Load(self._settings, self._now.run.id, ingested.folder)

    def _replace(self, load: Load, name: str, commands: Sequence[Command]) -> None:
        """Write a key anew: what is written again may have fewer fields, or none."""
        self._connection.send([("UNLINK", load.key(name)), ("SREM", load.key(keys.KEYS), name)])
        load.stage(self._connection, name, commands)
        self._now.named = self._now.named | {name} if commands else self._now.named - {name}

    def _begin(self) -> None:
        """Lock, remove what runs left, and say that this one may leave something."""
        self._now.lock.take()
        for run in self._connection.ask(lambda client: client.smembers(self._keys.loads)):
            self._connection.ask(partial(self._remove, run=str(run)))
        self._connection.send([("SADD", self._keys.loads, self._now.run.id)])

    def _remove(self, client: Any, run: str) -> None:
        """Remove the keys of a run that was not committed; the server frees their memory in the background."""
        manifest = self._keys.staged(run, keys.KEYS)
        names = sorted(client.smembers(manifest))
        for begin in range(0, len(names), _KEYS_AT_ONCE):
            client.unlink(*(self._keys.staged(run, name) for name in names[begin : begin + _KEYS_AT_ONCE]))
        client.unlink(manifest)
        client.srem(self._keys.loads, run)


def _funnel(answer: pa.Table) -> dict[str, int | float]:
    """The figures of the funnel, without rates of nothing."""
    (row,) = answer.to_pylist()
    return {name: value for name, value in row.items() if value is not None}


def _conversion(answer: pa.Table) -> tuple[list[str], list[float]]:
    """Sub-categories, named with their department, and their purchases per view, where there are views."""
    names, rates = [], []
    columns = (answer.column(name).to_pylist() for name in ("department", "sub_category", "conversion_rate"))
    for department, sub_category, rate in zip(*columns, strict=True):
        if rate is not None:
            names.append(f"{department}.{sub_category}")
            rates.append(rate)
    return names, rates
