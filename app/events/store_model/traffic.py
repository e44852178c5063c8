"""When visitors come, and when they are in the mood to buy: hours, weekdays, a day of sale, a day of trouble.

Weights are integers a minute, so that drawing a time is exact on every machine.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MINUTES_A_DAY: Final = 1440
_CYCLE_DAYS: Final = 31
_SALE_DAY: Final = 16
_TROUBLE_DAY: Final = 24

# The store's visitors live some hours east of UTC: their evening is 15 to 17 o'clock UTC.
_HOURS: Final = (
    20, 18, 30, 58, 84, 98, 104, 106, 105, 106, 110, 114, 116, 120, 130, 140, 142, 132, 108, 74, 46, 33, 26, 22,
)  # fmt: skip
_HOUR_CONVERSION: Final = (
    0.62, 0.78, 0.95, 1.06, 1.14, 1.20, 1.24, 1.23, 1.20, 1.15, 1.10, 1.05, 1.00, 0.96, 0.92, 0.87, 0.82, 0.77,
    0.73, 0.70, 0.68, 0.66, 0.62, 0.60,
)  # fmt: skip
_WEEKDAYS: Final = (96, 95, 97, 99, 103, 107, 104)
"""Traffic from Monday to Sunday."""


@dataclass(frozen=True)
class Traffic:
    """The span's visits by minute."""

    weight: Ints
    """(minutes,): running total of the minutes' weights."""
    conversion: Floats
    """(minutes,): how readily visitors buy, 1 being the mean over visits."""
    sale_days: frozenset[int]
    """Days, counted from the first, on which every price is the sale's."""

    @property
    def total(self) -> int:
        """The sum of all weights."""
        return int(self.weight[-1])

    def starts(self, first_minute: int, end_minute: int, count: int, rng: np.random.Generator) -> Ints:
        """`count` times of visits within the minutes, in order, in seconds since the span began."""
        low = int(self.weight[first_minute - 1]) if first_minute else 0
        draws = rng.integers(low, int(self.weight[end_minute - 1]), count)
        seconds = np.searchsorted(self.weight, draws, side="right") * 60 + rng.integers(0, 60, count)
        seconds.sort(kind="stable")
        return seconds


def traffic(start: date, days: int, seed: int) -> Traffic:
    """Traffic of `days` days from `start`: with a day of sale from a week on, and a day of trouble from 25 days on."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
    hours = np.array(_HOURS, dtype=np.int64)
    minute = np.arange(60)
    # Between two full hours the traffic goes over from the one to the other.
    shape = (hours[:, None] * (60 - minute) + np.roll(hours, -1)[:, None] * minute).reshape(MINUTES_A_DAY)
    moods = np.array(_HOUR_CONVERSION)
    mood = ((moods[:, None] * (60 - minute) + np.roll(moods, -1)[:, None] * minute) / 60).reshape(MINUTES_A_DAY)
    sale = {day for day in range(days) if day % _CYCLE_DAYS == _SALE_DAY} or ({days * 3 // 4} if days >= 7 else set())
    weight, conversion = [], []
    for day in range(days):
        chance = int(rng.integers(960, 1045))
        percent = _WEEKDAYS[(start + timedelta(days=day)).weekday()] * chance // 1000
        eagerness = 0.95 + 0.1 * float(rng.random())
        if day in sale:
            percent, eagerness = percent * 165 // 100, eagerness * 1.55
        elif day - 1 in sale:
            percent, eagerness = percent * 118 // 100, eagerness * 1.1
        weights = shape * percent
        if day % _CYCLE_DAYS == _TROUBLE_DAY:
            weights[5 * 60 + 40 : 16 * 60 + 15] //= 25
        weight.append(weights)
        conversion.append(mood * eagerness)
    weights, factors = np.concatenate(weight), np.concatenate(conversion)
    mean = math.fsum((weights * factors).tolist()) / int(weights.sum())
    return Traffic(weight=np.cumsum(weights), conversion=factors / mean, sale_days=frozenset(sale))
