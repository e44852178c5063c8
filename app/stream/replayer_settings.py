"""What a replay is told, what it says on the way, and what it says at the end."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from app.events.time_bounds import EARLIEST, LATEST, PlausibleDays

MAX_BLOCK_BYTES: Final = 7 << 20
"""A message holds 10 MB at most; this leaves room for attributes and for a long row."""
_TOPIC: Final = re.compile(r"projects/[^/]+/topics/[^/]+")


class ReplaySettingsError(ValueError):
    """A setting of a replay is wrong; the message names it, its value, what is allowed and an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """What to replay, where to, and how."""

    topic: str
    """projects/PROJECT/topics/TOPIC"""
    files: tuple[str, ...]
    """Paths, globs, gs:// URLs and prefixes, replayed in this order; what one glob matches in the order of time."""
    speed: float | None = None
    """1 is the original pace, 60 an hour in a minute; None as fast as possible."""
    start: datetime | None = None
    """Events before it are skipped."""
    end: datetime | None = None
    """Events from it on are skipped."""
    earliest: str = EARLIEST
    """First plausible day: no row waits for an event of another day, which the pipeline takes for a bad one."""
    latest: str = LATEST
    """Last plausible day: a date, or days ahead of now such as +1d."""
    block_rows: int = 500
    """The most rows of a message; 1 sends each row alone."""
    block_bytes: int = 1 << 20
    """The most bytes of a message; a longer row is a message of its own."""
    block_ms: int = 1000
    """At a pace: the longest that a row waits for others to fill its message, in milliseconds."""
    checkpoint: str | None = None
    """A local path or gs:// URL: where the replay is, to continue after a crash."""
    retry_seconds: float | None = None
    """How long to try when Pub/Sub cannot be reached; None for ever."""

    def __post_init__(self) -> None:
        """Check all settings.

        Raises:
            ReplaySettingsError: one is wrong.
        """
        if not _TOPIC.fullmatch(self.topic):
            raise ReplaySettingsError(
                f"topic {self.topic!r} is no topic's full name; write projects/PROJECT/topics/TOPIC, "
                "for example projects/demo-project/topics/events"
            )
        if not self.files:
            raise ReplaySettingsError("files is empty; name at least one, for example data/2019-Oct.csv.gz")
        for name, value, least, most in (
            ("block_rows", self.block_rows, 1, 1_000_000),
            ("block_bytes", self.block_bytes, 1, MAX_BLOCK_BYTES),
            ("block_ms", self.block_ms, 0, 3_600_000),
            ("speed", self.speed, 1e-6, 1e9),
            ("retry_seconds", self.retry_seconds, 0, float("inf")),
        ):
            if value is not None and not least <= value <= most:
                raise ReplaySettingsError(f"{name} is {value}; it must be from {least:,} to {most:,}")
        for name, time_ in (("start", self.start), ("end", self.end)):
            if time_ is not None and time_.tzinfo is None:
                raise ReplaySettingsError(f"{name} {time_} has no time zone; write for example 2019-10-01T00:00:00Z")
        try:
            PlausibleDays(self.earliest, self.latest)
        except ValueError as error:
            raise ReplaySettingsError(str(error)) from error
        if self.start and self.end and self.start >= self.end:
            raise ReplaySettingsError(f"start {self.start} is not before end {self.end}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a replay stands, for who watches it. Counts are of what Pub/Sub has acknowledged, by earlier runs too."""

    rows: int
    skipped: int
    blocks: int
    bytes: int
    retries: int
    event_time: datetime | None
    """The latest event time that was published."""
    source: str
    offset: int
    """Bytes of `source` that are done, unpacked."""
    done_before: int
    """Bytes of the files before it, as stored."""


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What a replay did. Counts include what earlier runs with the same checkpoint did; each row counts once."""

    rows: int
    """Rows that Pub/Sub has acknowledged."""
    blocks: int
    bytes: int
    """Of rows; attributes are not counted."""
    skipped: int
    """Rows outside of the period from `start` to `end`."""
    seconds: float
    """Of this run."""
    retries: int
    first_event_time: str | None
    """The earliest that was published, RFC 3339."""
    last_event_time: str | None
    rows_by_source: dict[str, int]
    """The rows of each file, by the `source` that its messages carry."""
    resumed_rows: int
    """Those of `rows` that earlier runs published."""
    finished: bool
    """False if the replay was stopped before the end."""

    @property
    def rows_per_second(self) -> float:
        """The rate of this run."""
        return (self.rows - self.resumed_rows) / self.seconds if self.seconds else 0.0

    def to_json(self) -> str:
        """All fields and the rate, on one line."""
        return json.dumps(asdict(self) | {"rows_per_second": round(self.rows_per_second)})
