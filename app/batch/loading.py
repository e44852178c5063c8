"""Loading a run into several stores, beside each other and beside the questions, so that one in trouble costs no other.

Each store has a thread of its own, which takes its steps in order. A store whose step fails takes no further one.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from app.batch.errors import BatchError, StoreBusyError, StoreError
from app.batch.ingest import Ingested
from app.batch.stores import Run, Store, Stored
from app.events.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)
_MAX_MESSAGE: Final = 2_000


@dataclass
class _Lane:
    """A store with its thread."""

    name: str
    store: Store
    thread: ThreadPoolExecutor
    steps: list["Future[None]"] = field(default_factory=list)
    error: Exception | None = None
    is_left_out: bool = False
    """Whether it was said that it could not be opened."""
    seconds: float = 0
    ledger_says: dict[str, str] | None = None
    """Which stores its ledger says are not loaded."""

    def begin(self, step: Callable[[Store], None]) -> None:
        """Take a step when those before it are done."""
        self.steps.append(self.thread.submit(self._take, step))

    def begin_ledger(self, ledger: Ledger, ingested: Ingested, not_loaded: dict[str, str]) -> None:
        """Write the ledger, unless it says so already."""
        if self.ledger_says != not_loaded:
            self.ledger_says = not_loaded
            self.begin(lambda store: store.write_ledger(ledger, ingested, not_loaded))

    def wait(self) -> None:
        """Wait until all steps are taken."""
        for step in self.steps:
            step.result()
        self.steps.clear()

    def _take(self, step: Callable[[Store], None]) -> None:
        if self.error:
            return
        began = time.monotonic()
        try:
            step(self.store)
        except (BatchError, LedgerError) as error:
            self.error = error
        except Exception as error:
            # Whatever a client library raises: the other stores must not suffer from it.
            _log.error("the store %s failed in a way that nobody has foreseen", self.name, exc_info=True)
            first_line = str(error).partition("\n")[0][:_MAX_MESSAGE]
            self.error = StoreError(
                f"{type(error).__name__}: {first_line}; where it happened is in the log. Load it again with --add "
                f"--stores {self.name}"
            )
            self.error.__cause__ = error
        finally:
            self.seconds += time.monotonic() - began


class Loading:
    """The stores of a run."""

    def __init__(self, lanes: list[_Lane]) -> None:
        """Use `loading`, which opens and closes the stores."""
        self._lanes = lanes

    def opened(self, *names: str) -> None:
        """Wait until those of the stores are open that have these names, and look at how that went with the others.

        Raises:
            StoreBusyError: another run is writing to one of them.
            BatchError: none of them can be opened.
        """
        for lane in self._lanes:
            if lane.name in names:
                lane.wait()
        for lane in self._lanes:
            if isinstance(lane.error, StoreBusyError):
                raise lane.error
            if lane.error and not lane.is_left_out:
                lane.is_left_out = True
                _log.warning("%s is left out: %s", lane.name, lane.error)
        self.check()

    @property
    def not_loaded(self) -> dict[str, str]:
        """The stores that failed so far, and why."""
        return {lane.name: str(lane.error) for lane in self._lanes if lane.error}

    @property
    def seconds(self) -> dict[str, float]:
        """How long each store's steps took."""
        return {lane.name: lane.seconds for lane in self._lanes}

    @property
    def ledger_failed(self) -> bool:
        """Whether a store holds other numbers than the ledger."""
        return any(isinstance(lane.error, LedgerError) for lane in self._lanes)

    def begin_events(self, spark: "SparkSession", ingested: Ingested) -> None:
        """Begin to write events to every store, and compare what each says it holds with what was read."""
        ledger = ledger_of(ingested)

        def write(store: Store) -> None:
            stored = store.write_events(spark, ingested)
            if stored != Stored(ledger.stored, ledger.bad):
                raise LedgerError(
                    f"it holds {stored.events:,} events and {stored.bad_events:,} bad events, but {ledger.stored:,} "
                    f"and {ledger.bad:,} were written"
                )

        for lane in self._lanes:
            lane.begin(write)

    def begin_answer(self, question: str, answer: pa.Table) -> None:
        """Begin to write an answer to every store."""
        for lane in self._lanes:
            lane.begin(lambda store: store.write_answer(question, answer))

    def finish(self, ledger: Ledger, ingested: Ingested) -> None:
        """Write the ledger, count, and show the run in every store that holds all of it.

        The stores are committed in reverse order: the first one's ledger knows what became of all the others.

        Raises:
            BatchError, LedgerError: no store could be loaded.
        """
        self._wait()
        for lane in self._lanes:
            lane.begin_ledger(ledger, ingested, self.not_loaded)
            lane.begin(lambda store: store.verify(ledger))
        self._wait()
        for lane in reversed(self._lanes):
            lane.begin_ledger(ledger, ingested, self.not_loaded)
            lane.begin(lambda store: store.commit())
            lane.wait()
        self.check()

    def _wait(self) -> None:
        for lane in self._lanes:
            lane.wait()
        self.check()

    def check(self) -> None:
        """Raise the first store's error if every store failed."""
        errors = [lane.error for lane in self._lanes]
        if errors[0] and all(errors):
            raise errors[0]


@contextmanager
def loading(stores: Mapping[str, Store], run: Run) -> Iterator[Loading]:
    """Begin to open the stores of a run, and close them at the end. `Loading.opened` says how that went."""
    lanes = [_Lane(name, store, ThreadPoolExecutor(1, f"store-{name}")) for name, store in stores.items()]
    try:
        for lane in lanes:
            lane.begin(lambda store: store.open(run))
        yield Loading(lanes)
    finally:
        _close(lanes)


def ledger_of(ingested: Ingested) -> Ledger:
    """The reader's count of rows against the counts of where each went.

    Raises:
        LedgerError: they do not add up.
    """
    counts = ingested.sources
    stored, bad = sum(source.events for source in counts), sum(source.bad for source in counts)
    return Ledger(ingested.rows, stored, ingested.duplicates, bad).check("batch run")


def _close(lanes: list[_Lane]) -> None:
    for lane in lanes:
        lane.thread.shutdown(cancel_futures=True)
        try:
            lane.store.close()
        except Exception as error:  # the run is over: there is nothing left to save
            _log.warning("%s could not be closed: %s", lane.name, error)
