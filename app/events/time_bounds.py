"""Bounds of event times: an event of another day is implausible, and one alone can spoil an answer by day.

Tracker clocks and broken exports give years such as 0019, 1970 or 2106. BigQuery's Storage Write API refuses a whole
append for one time that is more than ten years back or one ahead, and a table has 10,000 partitions at most.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final

EARLIEST: Final = "2017-01-01"
"""Has room for the public data sets of 2019 and 2020, whenever they are read."""
LATEST: Final = "+1d"
"""Covers clocks that are wrong and local times taken for UTC."""
EARLIEST_FORM: Final = r"\d{4}-\d{2}-\d{2}"
LATEST_FORM: Final = rf"{EARLIEST_FORM}|\+\d{{1,4}}d"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
_AHEAD: Final = re.compile(r"\+(\d{1,4})d", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """Times from `earliest` to before `latest` are plausible [microseconds since the epoch]."""

    earliest: int
    latest: int

    def admit(self, micros: int) -> bool:
        """Whether a time is plausible."""
        return self.earliest <= micros < self.latest


ANY_TIME: Final = TimeBounds(-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class PlausibleDays:
    """The days that events may have, as settings give them: both included.

    A `latest` of days ahead counts from when the row came in: the same row is judged alike however often it is read
    again within a run, and events of the past are judged alike for ever. A date judges all rows alike for ever.

    Raises:
        ValueError: a value is not allowed; the message says which, and gives an example.
    """

    earliest: str = EARLIEST
    """A date, such as 2017-01-01."""
    latest: str = LATEST
    """A date, or days ahead of now, such as +1d."""

    def __post_init__(self) -> None:
        """Check both."""
        first = _begin(self.earliest)
        if first is None:
            raise ValueError(f"earliest is {self.earliest!r}: give a date, for example {EARLIEST}")
        last = _begin(self.latest)
        if last is None and not _AHEAD.fullmatch(self.latest):
            raise ValueError(
                f"latest is {self.latest!r}: give a date or days ahead of now, for example 2029-12-31 or {LATEST}"
            )
        if last is not None and last < first:
            raise ValueError(f"latest is {self.latest}: give a date from earliest, {self.earliest}, on")

    def at(self, now: int) -> TimeBounds:
        """The bounds for rows that come in at `now` [microseconds since the epoch]."""
        return TimeBounds(self._first, self._last_end if self._ahead is None else now + self._ahead)

    @cached_property
    def _first(self) -> int:
        return _begin(self.earliest) or 0

    @cached_property
    def _last_end(self) -> int:
        return (_begin(self.latest) or 0) + _DAY

    @cached_property
    def _ahead(self) -> int | None:
        ahead = _AHEAD.fullmatch(self.latest)
        return int(ahead[1]) * _DAY if ahead else None


def _begin(text: str) -> int | None:
    """When a day begins; None where the text is no date."""
    if not re.fullmatch(EARLIEST_FORM, text, re.ASCII):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


DEFAULT_DAYS: Final = PlausibleDays()
