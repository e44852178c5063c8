"""The pace of a replay: when an event that happened then is due now."""

import time
from collections.abc import Callable

from app.stream.replayer_blocks import NEVER


class Pace:
    """The original times at a speed: 1 is as they were, 60 an hour a minute, None as fast as possible.

    The first event that it is asked for is due at once, all others relative to it.
    """

    def __init__(self, speed: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is due before the first event."""
        self._speed = speed
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def seconds_until(self, due: int) -> float:
        """How long to wait for what happened at `due` (microseconds of event time); 0 or less means not at all."""
        if self._speed is None or due == NEVER:
            return 0.0
        if self._first is None:
            self._first = (due, self._clock())
        event_time, began = self._first
        return began + (due - event_time) / 1e6 / self._speed - self._clock()

    def span(self, seconds: float) -> int | None:
        """The microseconds of event time that pass in `seconds`; None where the pace does not bind."""
        return None if self._speed is None else int(seconds * 1e6 * self._speed)
