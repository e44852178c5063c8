"""Who visits: new users, and users who come back, soon or weeks later, some of them often.

A user is a number. New users are counted up from 0 as they arrive; the users that the store had before the
span have negative numbers. A returning user is found by how long ago they arrived, so that cohorts fade as
real ones do and no list of users is kept.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEW_SHARE: Final = 0.15
"""Share of sessions that are a user's first."""
HISTORY_DAYS: Final = 90
_SAME_VISIT_DAYS: Final = 0.9
_HABIT_DAYS: Final = 100.0
_SOON: Final = 0.5
_CIRCLE: Final = 16
_FIRST_OLD_ID: Final = 512_300_000
_OLD_IDS: Final = 43_100_003
_STRIDE: Final = 27_644_437


class Visitors:
    """Gives every session its user. Sessions must come in the order of their starts."""

    def __init__(self, sessions_a_day: float) -> None:
        """Start a store that has `sessions_a_day` sessions on average."""
        self._new_a_day = max(sessions_a_day * NEW_SHARE, 0.01)
        self._history = int(self._new_a_day * HISTORY_DAYS) + _CIRCLE
        self._arrived = 0
        self._old_ids = max(_OLD_IDS, self._history + 1)
        while math.gcd(self._old_ids, _STRIDE) != 1:
            self._old_ids += 1

    def next(self, count: int, rng: np.random.Generator) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """The users of the next `count` sessions, and whether a session is its user's first."""
        first = rng.random(count) < NEW_SHARE
        arrived = self._arrived + np.cumsum(first)
        self._arrived = int(arrived[-1]) if count else self._arrived
        # How long ago a returning user arrived: often within a day or two, else by a long habit.
        u = rng.random(count)
        odds = u / (1 - u)
        scale = np.where(rng.random(count) < _SOON, _SAME_VISIT_DAYS, _HABIT_DAYS)
        ago = (odds * scale * self._new_a_day).astype(np.int64) % self._history
        user = arrived - 1 - ago
        # Of every few users who arrived together some come back often: the first of a circle most.
        favour = rng.random(count)
        regular = user // _CIRCLE * _CIRCLE + (favour * favour * favour * _CIRCLE).astype(np.int64)
        user = np.where(regular < arrived, regular, user)
        return np.where(first, arrived - 1, user), first

    def user_id(self, user: Ints) -> Ints:
        """The published number of a user: different for different users, the newest being the highest."""
        old = (-user - 1) * _STRIDE % self._old_ids
        return np.where(user < 0, _FIRST_OLD_ID + old, _FIRST_OLD_ID + self._old_ids + 40_000 + user)


def trait(user: Ints, which: int) -> Floats:
    """A number in [0, 1) that a user keeps for life; `which` tells traits apart."""
    x = user.astype(np.uint64) + np.uint64((which + 1) * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
