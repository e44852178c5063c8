"""Run functions as Spark tasks whose foreseeable errors come back in words instead of as a stack trace of the JVM."""

import errno
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from app.batch.errors import BatchError, DiskFullError, SourceError
from app.events.files import EventFileError

if TYPE_CHECKING:
    from pyspark import Accumulator, SparkContext

Item = TypeVar("Item")
Result = TypeVar("Result")

DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Failed:
    """A task's error that no second attempt can mend."""

    kind: type[BatchError]
    message: str


class Tasks(Protocol):
    """Runs a function on many items at once."""

    @property
    def at_once(self) -> int:
        """How many tasks run at the same time."""

    def run(
        self,
        task: Callable[[Item], Iterable[Result]],
        items: Sequence[Item],
        count: Callable[[Result], int] = ...,
        progress: Callable[[int], None] = ...,
    ) -> list[Result]:
        """Run `task` on each item, and collect what they give, in order.

        `progress` is called in this process with the sum of `count` over the results so far, now and then.

        Raises:
            SourceError: an event file cannot be read.
            DiskFullError: no space is left.
            Exception: any other error in a task.
        """


@dataclass(frozen=True)
class SparkTasks:
    """One Spark task an item, in the executors."""

    spark: "SparkContext"

    @property
    def at_once(self) -> int:
        """As many as the executors have cores."""
        return int(self.spark.defaultParallelism)

    def run(
        self,
        task: Callable[[Item], Iterable[Result]],
        items: Sequence[Item],
        count: Callable[[Result], int] = lambda _: 1,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[Result]:
        """Run `task` on each item, as `Tasks` says."""
        if not items:
            return []
        done = self.spark.accumulator(0)
        run = _explained(task, count, done)
        with _watching(done, progress):
            results = self.spark.parallelize(items, len(items)).flatMap(run).collect()
        good: list[Result] = []
        for result in results:
            if isinstance(result, _Failed):
                raise result.kind(result.message)
            good.append(result)
        return good


def _explained(
    task: Callable[[Item], Iterable[Result]], count: Callable[[Result], int], done: "Accumulator[int]"
) -> Callable[[Item], Iterator[Result | _Failed]]:
    def run(item: Item) -> Iterator[Result | _Failed]:
        try:
            for result in task(item):
                done.add(count(result))
                yield result
        except EventFileError as error:
            yield _Failed(SourceError, str(error))
        except BatchError as error:
            yield _Failed(type(error), str(error))
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            yield _Failed(DiskFullError, str(error))

    return run


@contextmanager
def _watching(done: "Accumulator[int]", progress: Callable[[int], None]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            progress(done.value)

    watcher = threading.Thread(target=watch, name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    progress(done.value)
