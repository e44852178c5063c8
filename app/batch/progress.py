"""What a run tells while it works: its stages with their rates on a terminal, one line a stage elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

_log = logging.getLogger(__name__)

Advance = Callable[[int], None]
"""Says how much of a stage is done so far."""


@dataclass
class Progress:
    """The stages of a run. With `console` None, or none that is a terminal, stages go to the log alone."""

    console: Console | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each finished stage took."""

    @contextmanager
    def stage(self, name: str, *, unit: str = "", total: int | None = None) -> Iterator[Advance]:
        """A stage of the run; what it gives takes the number of units done so far."""
        started = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done = count
            if bars:
                rate = f"{count:,} {unit}, {count / (time.monotonic() - started):,.0f} {unit}/s" if unit else ""
                bars.update(task, completed=count, rate=rate)

        bars, task = self._bars(name, total)
        try:
            yield advance
        finally:
            if bars:
                bars.update(task, total=1, completed=1)
                bars.stop()
        self.seconds[name] = time.monotonic() - started
        rate = f": {done:,} {unit}, {done / self.seconds[name]:,.0f} {unit}/s" if unit else ""
        _log.info("%s took %.1f s%s", name, self.seconds[name], rate)

    def _bars(self, name: str, total: int | None) -> tuple[Bars | None, TaskID]:
        if self.console is None or not self.console.is_terminal:
            return None, TaskID(0)
        bars = Bars(
            TextColumn(f"{{task.description:<{12}}}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
            console=self.console,
        )
        task = bars.add_task(name, total=total, rate="")
        bars.start()
        return bars, task
