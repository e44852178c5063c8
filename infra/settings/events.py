"""Settings of the events that both pipelines take."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.events.time_bounds import EARLIEST, EARLIEST_FORM, LATEST, LATEST_FORM, PlausibleDays
from infra.settings.declaration import Problem, setting
from infra.settings.rules import text


@dataclass(frozen=True)
class EventsSettings:
    """What an event may be. A row outside of the days is a bad event of the reason `implausible_time`."""

    earliest: str = setting(
        EARLIEST,
        text(EARLIEST_FORM, "a date", EARLIEST),
        "first day that an event may have; earlier ones are bad events",
    )
    latest: str = setting(
        LATEST,
        text(LATEST_FORM, "a date, or days ahead of now", LATEST),
        "last day that an event may have; days ahead count from when a row comes in",
    )

    @property
    def plausible_days(self) -> PlausibleDays:
        """Both, as the pipelines take them. Raises ValueError."""
        return PlausibleDays(self.earliest, self.latest)

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that a day is none of the calendar, or the last is before the first."""
        try:
            PlausibleDays(self.earliest)
        except ValueError:
            yield Problem(f"{key}.earliest", self.earliest, "a date of the calendar", EARLIEST)
            return
        try:
            PlausibleDays(self.earliest, self.latest)
        except ValueError:
            yield Problem(f"{key}.latest", self.latest, f"a date from earliest, {self.earliest}, on, or days", LATEST)
