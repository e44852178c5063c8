"""The names of all keys.

    {shop}:run                     hash      the run that is shown: id, its times, its ledger
    {shop}:top:BOARD:MEASURE       sorted set  names by what they have of the measure; money in cents
    {shop}:conversion              sorted set  sub-categories by purchases per view
    {shop}:days                    hash      events of each day
    {shop}:day:2019-10-01          hash      events, by type, and revenue_cents of a day
    {shop}:hours:2019-10-01        hash      the same by hour: 00:view, 00:revenue_cents, ... 23:purchase
    {shop}:visitors:2019-10-01     HyperLogLog  users of a day; buyers:2019-10-01: those who bought
    {shop}:funnel                  hash      the answer to the question session_funnel
    {shop}:bad                     hash      bad events by reason
    {shop}:keys                    set       names of all of these
    {shop}:lock                    string    the id of the run that loads now
    {shop}:loads                   set       ids of runs that may have left keys
    {shop}:load:RUN:*                        all of the former while the run RUN loads

The braces make a cluster put all keys into one slot, so that all can change at once there too.
"""

from dataclasses import dataclass
from typing import Final, Literal

Board = Literal["brands", "sub_categories", "products"]
Measure = Literal["views", "purchases", "revenue_cents"]

BOARDS: Final[tuple[Board, ...]] = ("brands", "sub_categories", "products")
MEASURES: Final[tuple[Measure, ...]] = ("views", "purchases", "revenue_cents")

RUN: Final = "run"
DAYS: Final = "days"
CONVERSION: Final = "conversion"
FUNNEL: Final = "funnel"
BAD: Final = "bad"
KEYS: Final = "keys"


def top(board: Board, measure: Measure) -> str:
    """The leaderboard of a measure."""
    return f"top:{board}:{measure}"


def day(date: str) -> str:
    """The counters of a day (YYYY-MM-DD)."""
    return f"day:{date}"


def hours(date: str) -> str:
    """The counters of a day's hours."""
    return f"hours:{date}"


def visitors(date: str) -> str:
    """The users of a day."""
    return f"visitors:{date}"


def buyers(date: str) -> str:
    """The users who bought on a day."""
    return f"buyers:{date}"


@dataclass(frozen=True)
class Keys:
    """Full names of keys, by the prefix of the store."""

    prefix: str

    @property
    def lock(self) -> str:
        """Holds the id of the run that loads."""
        return self.shown("lock")

    @property
    def loads(self) -> str:
        """Ids of runs that may have left keys."""
        return self.shown("loads")

    def shown(self, name: str) -> str:
        """The key that readers see."""
        return f"{{{self.prefix}}}:{name}"

    def staged(self, run: str, name: str) -> str:
        """The key of a run that has not been committed."""
        return self.shown(f"load:{run}:{name}")
