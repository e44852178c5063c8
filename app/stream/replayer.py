"""The replayer: publishes event files to Pub/Sub as blocks of raw rows, in order, at the pace of the original times.

    >>> summary = replay(ReplaySettings(topic="projects/shop/topics/events", files=("gs://shop-events/2019-Oct.csv",)))
    >>> summary.rows_by_source
    {'gs://shop-events/2019-Oct.csv': 42448764}

A row is delivered at least once: what was published but not yet in the checkpoint when a replay died is published
again. `scripts/replay` is the command.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from app.events.files import EventFile, EventFileError, describe, expand, read_blocks
from app.events.time_bounds import PlausibleDays, TimeBounds
from app.stream.replayer_blocks import Cutter, Limits, Piece
from app.stream.replayer_checkpoint import Checkpoint, CheckpointError, Position, Replay, Tally
from app.stream.replayer_pace import Pace
from app.stream.replayer_publisher import Batch, OrderedPublisher, PublishError
from app.stream.replayer_settings import (
    MAX_BLOCK_BYTES,
    ReplaySettings,
    ReplaySettingsError,
    ReplaySummary,
    Snapshot,
)
from app.stream.replayer_times import UNREADABLE, moment, rfc3339, times_of

__all__ = [
    "CheckpointError",
    "EventFileError",
    "PublishError",
    "ReplaySettings",
    "ReplaySettingsError",
    "ReplaySummary",
    "Snapshot",
    "replay",
]

_READ_ROWS: Final = 16_384
_SHORTEST_WAIT: Final = 0.002
_LONG_WAIT: Final = 600.0

_log = logging.getLogger(__name__)


def replay(
    settings: ReplaySettings,
    *,
    stop: threading.Event | None = None,
    watch: Callable[[Snapshot], None] | None = None,
) -> ReplaySummary:
    """Publish the files and return what was done.

    `stop` set by another thread or a signal handler ends the replay after the publishes in flight, its checkpoint
    written. `watch` is called in another thread after every acknowledgement and retry.

    Raises:
        EventFileError: a file is missing or damaged; rows before the damage are published.
        PublishError: Pub/Sub refuses, or was not reached for `retry_seconds`.
        CheckpointError: the checkpoint is of another replay, or cannot be written at the end.
    """
    began = time.monotonic()
    bounds = _plausible(settings)
    files = tuple(describe(path) for pattern in settings.files for path in _in_time_order(expand([pattern]), bounds))
    run = _Run(settings, files, stop or threading.Event(), watch or (lambda _: None))
    resumed = sum(run.tally.rows)
    if not run.tally.finished:
        run.publish()
    return run.summary(resumed, time.monotonic() - began)


def _plausible(settings: ReplaySettings) -> TimeBounds:
    return PlausibleDays(settings.earliest, settings.latest).at(time.time_ns() // 1_000)


def _in_time_order(paths: list[str], plausible: TimeBounds) -> list[str]:
    """2019-Nov.csv comes before 2019-Oct.csv by name, after it by its first event."""
    if len(paths) < 2:
        return paths
    return sorted(paths, key=lambda path: _first_time(path, plausible))


def _first_time(path: str, plausible: TimeBounds) -> int:
    block = next(read_blocks(path, rows=100), None)
    if block is None:
        return UNREADABLE
    times = times_of(block)
    return int(times[(times >= plausible.earliest) & (times < plausible.latest)].min(initial=UNREADABLE))


class _Run:
    """One run of a replay."""

    def __init__(
        self,
        settings: ReplaySettings,
        files: tuple[EventFile, ...],
        stop: threading.Event,
        watch: Callable[[Snapshot], None],
    ) -> None:
        self._settings = settings
        self._files = files
        self._stop = stop
        self._watch = watch
        start, end = (time_.isoformat() if time_ else None for time_ in (settings.start, settings.end))
        replay_ = Replay(settings.topic, files, start, end)
        self._checkpoint = Checkpoint(settings.checkpoint, replay_) if settings.checkpoint else None
        found = self._checkpoint.load() if self._checkpoint else None
        self.tally = found or Tally(rows=[0] * len(files), skipped=[0] * len(files))

    def publish(self) -> None:
        """Publish from where the tally stands."""
        publisher = OrderedPublisher(
            acknowledged=self._acknowledged,
            retried=self._retried,
            stop=self._stop,
            retry_seconds=self._settings.retry_seconds,
        )
        try:
            try:
                complete = self._send_all(publisher)
            finally:
                publisher.close()
        except Exception:
            if self._checkpoint:
                self._checkpoint.save_if_possible(self.tally)
            raise
        self.tally.finished = complete and not publisher.gave_up
        if self._checkpoint:
            self._checkpoint.save(self.tally)

    def summary(self, resumed_rows: int, seconds: float) -> ReplaySummary:
        """What was done."""
        tally = self.tally
        rows_by_source: dict[str, int] = {}
        for file, rows in zip(self._files, tally.rows, strict=True):
            rows_by_source[file.path] = rows_by_source.get(file.path, 0) + rows
        return ReplaySummary(
            rows=sum(tally.rows),
            blocks=tally.blocks,
            bytes=tally.bytes,
            skipped=sum(tally.skipped),
            seconds=seconds,
            retries=tally.retries,
            first_event_time=None if tally.earliest is None else rfc3339(tally.earliest),
            last_event_time=None if tally.latest is None else rfc3339(tally.latest),
            rows_by_source=rows_by_source,
            resumed_rows=resumed_rows,
            finished=tally.finished,
        )

    def _send_all(self, publisher: OrderedPublisher) -> bool:
        """Read, cut, wait and send; False if the replay was stopped."""
        settings = self._settings
        pace = Pace(settings.speed)
        span = pace.span(settings.block_ms / 1000)
        plausible = _plausible(settings)
        limits = Limits(settings.block_rows, settings.block_bytes, span, settings.start, settings.end, plausible)
        begin = self.tally.position
        for index in range(begin.file, len(self._files)):
            position = begin if index == begin.file else Position(index)
            sending = _Sending(Batch(settings.topic, self._files[index].path, position), publisher)
            try:
                if not self._send_file(sending, pace, Cutter(limits)):
                    return False
            except EventFileError:
                sending.flush()
                raise
            sending.flush()
        return True

    def _send_file(self, sending: "_Sending", pace: Pace, cutter: Cutter) -> bool:
        position = sending.batch.position
        path = self._files[position.file].path
        rows = max(1, _READ_ROWS // self._settings.block_rows) * self._settings.block_rows
        for block in read_blocks(path, rows, MAX_BLOCK_BYTES, first_row=position.row, offset=position.offset):
            for piece in cutter.cut(block):
                if pace.seconds_until(piece.due) > _SHORTEST_WAIT:
                    sending.flush()
                    self._wait(pace, piece.due)
                if self._stop.is_set():
                    return False
                sending.add(piece)
            sending.move(Position(position.file, block.first_row + block.rows, block.end))
            if self._stop.is_set():
                return False
        return True

    def _wait(self, pace: Pace, due: int) -> None:
        """Wait for what is due, or to be stopped; where that is long, say so."""
        wait = pace.seconds_until(due)
        if wait > _LONG_WAIT:
            time_, hours = rfc3339(due), wait / 3600
            _log.warning("no event before %s: the replay waits %.1f hours for it at this speed", time_, hours)
        while wait > _SHORTEST_WAIT and not self._stop.wait(min(wait, _LONG_WAIT)):
            wait = pace.seconds_until(due)

    def _acknowledged(self, batch: Batch) -> None:
        tally, index = self.tally, batch.position.file
        tally.position = batch.position
        tally.rows[index] += batch.rows
        tally.skipped[index] = batch.position.row - 1 - tally.rows[index]
        tally.blocks += batch.blocks
        tally.bytes += batch.bytes
        tally.earliest = min((time_ for time_ in (tally.earliest, batch.earliest) if time_ is not None), default=None)
        tally.latest = max((time_ for time_ in (tally.latest, batch.latest) if time_ is not None), default=None)
        if self._checkpoint:
            self._checkpoint.save_if_due(tally)
        self._watch(self._snapshot())

    def _retried(self) -> None:
        self.tally.retries += 1
        self._watch(self._snapshot())

    def _snapshot(self) -> Snapshot:
        tally, position = self.tally, self.tally.position
        return Snapshot(
            rows=sum(tally.rows),
            skipped=sum(tally.skipped),
            blocks=tally.blocks,
            bytes=tally.bytes,
            retries=tally.retries,
            event_time=None if tally.latest is None else moment(tally.latest),
            source=self._files[position.file].path,
            offset=position.offset,
            done_before=sum(file.size for file in self._files[: position.file]),
        )


class _Sending:
    """The batch that is being filled, and where it goes when it is full."""

    def __init__(self, batch: Batch, publisher: OrderedPublisher) -> None:
        self.batch = batch
        self._publisher = publisher

    def add(self, piece: Piece) -> None:
        if not self.batch.takes(piece):
            self.flush()
        self.batch.add(piece)

    def move(self, position: Position) -> None:
        """All before `position` is sent or skipped; where nothing is to be sent, that alone is progress."""
        self.batch.position = position
        if not self.batch.blocks:
            self.flush()

    def flush(self) -> None:
        full = self.batch
        self.batch = Batch(full.topic, full.source, full.position)
        self._publisher.send(full)
