"""The store at work: an exact number of events in time order, one stretch of time after another."""

from collections.abc import Iterator
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from app.events.store_model.catalogue import catalogue
from app.events.store_model.sessions import EVENTS_A_SESSION, Columns, Sessions, no_events
from app.events.store_model.traffic import Traffic, traffic
from app.events.store_model.visitors import Visitors

_EVENTS_A_ROBOT: Final = 285
_ROBOT_EVERY: Final = 90_000
_FEWEST_EVENTS_WITH_ROBOTS: Final = 20_000
_LAST_AIM: Final = 0.97
"""The last stretch aims below what is missing, and is then filled up to the very event."""


class Store:
    """A store that has exactly `events` different events within `days` days from `start`."""

    def __init__(self, events: int, seed: int, start: date, days: int, stretch: int) -> None:
        """Plan the span in stretches of about `stretch` events. `events` is at least 1."""
        self._total = events
        self._seed = seed
        self.traffic = traffic(start, days, seed)
        self._ends = _stretch_ends(self.traffic, max(1, round(events / stretch)))
        visitors = Visitors(events / EVENTS_A_SESSION / days)
        self._sessions = Sessions(catalogue(), self.traffic, visitors)
        self._robots = 1 + events // _ROBOT_EVERY if events >= _FEWEST_EVENTS_WITH_ROBOTS else 0

    def stretches(self) -> Iterator[tuple[Columns, np.random.Generator]]:
        """The events of each stretch by time, with the stretch's source of chance. Read them once."""
        ahead = no_events()
        written = robots_sent = first = 0
        for index, end in enumerate(self._ends):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._seed, 2, index])))
            due = self._total * int(self.traffic.weight[end - 1]) // self.traffic.total
            robots = self._robots * due // self._total - robots_sent
            is_last = end == self._ends[-1]
            missing = (due - written - len(ahead)) * (_LAST_AIM if is_last else 1) - robots * _EVENTS_A_ROBOT
            count = max(round(missing / EVENTS_A_SESSION), robots)
            ahead = ahead.plus(self._sessions.between(first, end, count, robots, rng))
            if is_last:
                ahead = self._fill(ahead, self._total - written, first, end, rng)
            is_now = ahead.time < end * 60
            ready, ahead = ahead.take(is_now), ahead.take(~is_now)
            written += len(ready)
            robots_sent += robots
            first = end
            if len(ready):
                yield ready.take(np.argsort(ready.time, kind="stable")), rng

    def _fill(self, events: Columns, wanted: int, first: int, end: int, rng: np.random.Generator) -> Columns:
        """Cut off what lies after the end of the span, then add sessions until there are `wanted` events."""
        events = events.take(events.time < end * 60)
        while len(events) < wanted:
            more = self._sessions.between(first, end, 1 + int((wanted - len(events)) / EVENTS_A_SESSION), 0, rng)
            more = more.take(more.time < end * 60)
            events = events.plus(more.take(_some(len(more), wanted - len(events), rng)))
        return events.take(_some(len(events), wanted, rng))


def _some(count: int, wanted: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Indices of `wanted` of `count` things, or of all where there are no more, in order."""
    return np.sort(rng.permutation(count)[:wanted], kind="stable") if count > wanted else np.arange(count)


def _stretch_ends(visits: Traffic, stretches: int) -> list[int]:
    """The minutes at which the stretches end, each holding about the same traffic."""
    shares = [visits.total * number // stretches for number in range(1, stretches)]
    ends = np.searchsorted(visits.weight, np.array(shares, dtype=np.int64)) + 1
    return [*np.unique(ends[ends < len(visits.weight)]).tolist(), len(visits.weight)]
