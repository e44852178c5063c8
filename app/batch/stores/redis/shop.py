"""What readers ask of the store. An answer is of one run, whole; the next one may be of a later run (`Shop.run`)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

from app.batch.stores.redis import keys
from app.batch.stores.redis.connection import Connection
from app.batch.stores.redis.keys import Board, Keys, Measure
from app.batch.stores.redis.load import REVENUE
from app.batch.stores.redis.settings import RedisSettings
from app.events.schema import EVENT_TYPES

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True)
class Ranked:
    """A name of a leaderboard: how many views or purchases it has, or cents of revenue."""

    name: str
    score: int

    @property
    def money(self) -> Decimal:
        """The score of a leaderboard of revenue, in the store's currency."""
        return self.score * _CENT


@dataclass(frozen=True)
class Counters:
    """What happened in a day or an hour."""

    events: Mapping[str, int]
    """Events by type; all types are there."""
    revenue: Decimal
    """The prices of purchases, in the store's currency."""


class Shop:
    """The figures of the run that is shown. Errors are StoreError. Use it in a `with`, or close it."""

    def __init__(self, settings: RedisSettings) -> None:
        """Read from a server; nothing is connected yet."""
        self._connection = Connection(settings, as_text=True)
        self._keys = Keys(settings.prefix)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """By environment variables: `RedisSettings.from_environment`. Raises SettingsError."""
        return cls(RedisSettings.from_environment(environment))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def run(self) -> dict[str, str]:
        """The run that is shown: id, started_at, finished_at, its ledger; empty before the first one."""
        return dict(self._ask("HGETALL", keys.RUN))

    def top(self, board: Board, measure: Measure, n: int) -> list[Ranked]:
        """The first `n` names of a leaderboard, best first; equal ones in descending order of their bytes."""
        found = self._pairs(keys.top(board, measure), n)
        return [Ranked(name, int(float(score))) for name, score in found]

    def conversion(self, n: int) -> list[tuple[str, float]]:
        """The `n` sub-categories that sell best to those who look: purchases per view."""
        return [(name, float(score)) for name, score in self._pairs(keys.CONVERSION, n)]

    def days(self) -> dict[date, int]:
        """Every day that has events, in order, and how many."""
        found = self._ask("HGETALL", keys.DAYS)
        return {date.fromisoformat(day): int(found[day]) for day in sorted(found)}

    def day(self, day: date) -> Counters:
        """The counters of a day; all 0 where it has no events."""
        return _counters(self._ask("HGETALL", keys.day(day.isoformat())))

    def hours(self, day: date) -> dict[int, Counters]:
        """The counters of the hours (0 to 23, UTC) of a day that have events."""
        by_hour: dict[int, dict[str, str]] = {}
        for field, value in sorted(self._ask("HGETALL", keys.hours(day.isoformat())).items()):
            hour, _, name = field.partition(":")
            by_hour.setdefault(int(hour), {})[name] = value
        return {hour: _counters(fields) for hour, fields in by_hour.items()}

    def visitors(self, first: date, last: date | None = None) -> int:
        """About how many different users came on a day, or from a day to another; wrong by 1 % as a rule."""
        return int(self._ask("PFCOUNT", *(keys.visitors(day) for day in _days(first, last or first))))

    def buyers(self, first: date, last: date | None = None) -> int:
        """About how many different users bought on a day, or from a day to another; wrong by 1 % as a rule."""
        return int(self._ask("PFCOUNT", *(keys.buyers(day) for day in _days(first, last or first))))

    def funnel(self) -> dict[str, float]:
        """The answer to the question `session_funnel`, by column: whole numbers of sessions, and rates from 0 to 1."""
        found: dict[str, str] = self._ask("HGETALL", keys.FUNNEL)
        return {name: float(value) if name.endswith("_rate") else int(value) for name, value in found.items()}

    def bad_events(self) -> dict[str, int]:
        """Bad events by reason."""
        return {reason: int(count) for reason, count in self._ask("HGETALL", keys.BAD).items()}

    def memory(self) -> dict[str, int]:
        """Bytes of the server's memory that each key takes, by the key's name."""
        names = sorted(self._ask("SMEMBERS", keys.KEYS))
        sizes = self._connection.send([("MEMORY", "USAGE", self._keys.shown(name), "SAMPLES", 0) for name in names])
        return {name: int(size or 0) for name, size in zip(names, sizes, strict=True)}

    def _pairs(self, name: str, n: int) -> list[tuple[str, str]]:
        return (
            self._connection.ask(
                lambda client: client.zrange(self._keys.shown(name), 0, n - 1, desc=True, withscores=True)
            )
            if n > 0
            else []
        )

    def _ask(self, command: str, *names: str) -> Any:
        return self._connection.send([(command, *map(self._keys.shown, names))])[0]


def _counters(fields: Mapping[str, str]) -> Counters:
    events = {kind: int(fields.get(kind, 0)) for kind in EVENT_TYPES}
    return Counters(events, int(fields.get(REVENUE, 0)) * _CENT)


def _days(first: date, last: date) -> list[str]:
    return [(first + timedelta(number)).isoformat() for number in range((last - first).days + 1)]
