"""What a replay shows while it runs: a progress bar on a terminal, structured log lines elsewhere."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.stream.replayer_settings import Snapshot

Watch = Callable[[Snapshot], None]

_LOG_SECONDS: Final = 10.0
_RATE_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys that Cloud Logging reads."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, the fields of its `replay` attribute beside the message."""
        line = {
            "severity": record.levelname,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "replay", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Rate:
    """Rows a second and event time a second, over the last two seconds or more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has passed yet."""
        self._clock = clock
        self._since: tuple[float, Snapshot] | None = None
        self.rows = 0.0
        self.speed: float | None = None
        """Seconds of event time a second; None where no event time has passed."""

    def see(self, now: Snapshot) -> None:
        """Take in where the replay stands."""
        at = self._clock()
        if self._since is None:
            self._since = at, now
            return
        since, before = self._since
        if at - since < _RATE_SECONDS:
            return
        self.rows = (now.rows - before.rows) / (at - since)
        if now.event_time and before.event_time:
            self.speed = (now.event_time - before.event_time).total_seconds() / (at - since)
        self._since = at, now


@contextmanager
def shown(console: Console, total_bytes: int | None) -> Iterator[Watch]:
    """Show the replay whose snapshots the given function takes, until the end of the block.

    `total_bytes` is the size of all files where they are plain; None where the end is not known.
    """
    with _bar(console, total_bytes) if console.is_terminal else _lines() as watch:
        yield watch


def set_up_logging(console: Console) -> None:
    """Log to the console as people read it, or as JSON lines where no person does."""
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False)
    else:
        handler = logging.StreamHandler(console.file)
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(message)s", force=True)


@contextmanager
def _bar(console: Console, total_bytes: int | None) -> Iterator[Watch]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows  {task.fields[rate]:,.0f} rows/s  {task.fields[reached]}"),
        TimeElapsedColumn(),
    )
    rate = Rate()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("replaying", total=total_bytes, rows=0, rate=0.0, reached="")

        def watch(now: Snapshot) -> None:
            rate.see(now)
            progress.update(
                task,
                description=now.source.rsplit("/", 1)[-1],
                completed=now.done_before + now.offset if total_bytes else None,
                rows=now.rows,
                rate=rate.rows,
                reached=_reached(now, rate),
            )

        yield watch


def _reached(now: Snapshot, rate: Rate) -> str:
    parts = []
    if now.event_time:
        parts.append(f"{now.event_time:%Y-%m-%d %H:%M:%S}")
    if rate.speed:
        parts.append(f"x {rate.speed:,.0f}")
    if now.skipped:
        parts.append(f"{now.skipped:,} skipped")
    if now.retries:
        parts.append(f"{now.retries:,} retries")
    return "  ".join(parts)


@contextmanager
def _lines() -> Iterator[Watch]:
    rate = Rate()
    latest: list[Snapshot] = []
    done = threading.Event()

    def watch(now: Snapshot) -> None:
        rate.see(now)
        latest[:] = [now]

    def tell() -> None:
        while not done.wait(_LOG_SECONDS):
            if not latest:
                continue
            now = latest[0]
            rate.see(now)  # without an acknowledgement the rate falls
            fields = {
                "rows": now.rows,
                "rows_per_second": round(rate.rows),
                "skipped": now.skipped,
                "blocks": now.blocks,
                "bytes": now.bytes,
                "retries": now.retries,
                "event_time": now.event_time and now.event_time.isoformat(),
                "speed": rate.speed and round(rate.speed, 1),
                "source": now.source,
            }
            _log.info("replaying", extra={"replay": fields})

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
