"""Writing a run's events: what Spark's tasks do, and in which order.

Every value is whole when it is written, so that a task that runs again changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow.compute as pc

from app.batch.folder import Folder
from app.batch.ingest import Ingested
from app.batch.stores.redis import keys
from app.batch.stores.redis.connection import Command, Connection, connected
from app.batch.stores.redis.days import COLUMNS, HOURS, Day, Integers, day_of
from app.batch.stores.redis.keys import Keys
from app.batch.stores.redis.settings import RedisSettings
from app.batch.stores.redis.tops import share_out, tops_of
from app.batch.tasks import Tasks
from app.events.schema import EVENT_TYPES

STAGED_SECONDS: Final = 24 * 3600
"""What is not committed so long after it was written is removed by the server."""

REVENUE: Final = "revenue_cents"

_BOARDS: Final = "redis-boards"
_DAY_FOLDER: Final = "event_date="
_EVENTS_A_SHARE: Final = 10_000_000
_MEMBERS_A_COMMAND: Final = 1_000
_COMMANDS_AT_ONCE: Final = 50


@dataclass(frozen=True)
class Load:
    """Where a run's values go. Sent to the executors, with the password."""

    settings: RedisSettings
    run: str
    folder: Folder
    """The folder of the run's Parquet files; the days' parts of the leaderboards go there too."""
    shares: int = 1

    def share(self, number: int) -> Folder:
        """The folder of the leaderboards' parts of a share."""
        return self.folder.below(_BOARDS).below(str(number))

    def stage(self, connection: Connection, name: str, commands: Iterable[Command]) -> None:
        """Send commands that write the key of a name, if any, which expires unless it is committed.

        Raises:
            StoreError: the server does not take them.
        """
        at = Keys(self.settings.prefix)
        manifest = at.staged(self.run, keys.KEYS)
        expire = [("EXPIRE", key, STAGED_SECONDS) for key in (manifest, at.staged(self.run, name))]
        waiting = list(commands)
        for begin in range(0, len(waiting), _COMMANDS_AT_ONCE):
            # Named before it is written, so that no key of a run that is killed here stays unknown.
            connection.send([("SADD", manifest, name, keys.KEYS), *waiting[begin : begin + _COMMANDS_AT_ONCE], *expire])

    def key(self, name: str) -> str:
        """The full key of a name while the run is not committed."""
        return Keys(self.settings.prefix).staged(self.run, name)


@dataclass(frozen=True)
class WrittenDay:
    """A day that was written: its events, and what the server counted of its users when it had them."""

    date: str
    events: int
    visitors: int
    buyers: int


@dataclass(frozen=True)
class WrittenTop:
    """A share of a leaderboard that was written, with the number of names that have any of its measure."""

    name: str
    of: int


@dataclass(frozen=True)
class Written:
    """What the tasks say that they wrote."""

    days: tuple[WrittenDay, ...]
    tops: Mapping[str, int]
    """By leaderboard, how many names have any of its measure; it holds so many of them as the settings say."""
    bad_events: int

    def names(self) -> set[str]:
        """The names of all keys that were written."""
        names = {of(day.date) for day in self.days for of in (keys.day, keys.hours, keys.visitors)}
        names |= {keys.buyers(day.date) for day in self.days if day.buyers}
        names |= {keys.DAYS} if self.days else set()
        names |= {keys.BAD} if self.bad_events else set()
        return names.union(self.tops)


def write_events(tasks: Tasks, connection: Connection, load: Load, ingested: Ingested) -> Written:
    """Write what comes from a run's events and bad events. Raises StoreError, and OSError from the run's folder."""
    load = replace(load, shares=1 + sum(source.events for source in ingested.sources) // _EVENTS_A_SHARE)
    folder = load.folder.below("events")
    days = [(day, [f"events/{day}/{file}" for file in folder.below(day).names()]) for day in folder.names()]
    bad_files = [f"bad_events/{file}" for file in load.folder.below("bad_events").names()]
    try:
        written = tasks.run(lambda day: write_day(load, day[0].removeprefix(_DAY_FOLDER), day[1]), days)
        tops: Counter[str] = Counter()
        for top in tasks.run(lambda share: write_share(load, share), range(load.shares)):
            tops[top.name] += top.of
        bad = tasks.run(lambda files: write_bad(load, files), [bad_files])
    finally:
        load.folder.below(_BOARDS).remove()
    # Each share gave its own top; the whole is cut to the same size.
    connection.send([("ZREMRANGEBYRANK", load.key(name), 0, -load.settings.board_size - 1) for name in tops])
    return Written(tuple(written), {name: of for name, of in tops.items() if of}, sum(bad))


def write_day(load: Load, date: str, files: Sequence[str]) -> Iterator[WrittenDay]:
    """Write the counters and visitors of a day, and keep its part of the leaderboards in a file for each share.

    Args:
        load: where to.
        date: the day, YYYY-MM-DD.
        files: all files of the day's events, in the run's folder.

    Raises:
        StoreError: Redis does not take it.
    """
    day = day_of(load.folder.read_table(file, list(COLUMNS)) for file in files)
    if not day.events.any():
        return
    with connected(load.settings) as connection:
        for name, fields in ((keys.day(date), _of_day(day)), (keys.hours(date), _by_hour(day))):
            load.stage(connection, name, [set_fields(load.key(name), fields)])
        load.stage(connection, keys.DAYS, [("HSET", load.key(keys.DAYS), date, int(day.events.sum()))])
        for name, users in ((keys.visitors(date), day.visitors), (keys.buyers(date), day.buyers)):
            load.stage(connection, name, _count_users(load.key(name), users))
        visitors, buyers = connection.send(
            [("PFCOUNT", load.key(keys.visitors(date))), ("PFCOUNT", load.key(keys.buyers(date)))]
        )
    for share, names in share_out(day.names, load.shares):
        load.share(share).write_table(f"{date}.parquet", names)
    yield WrittenDay(date, int(day.events.sum()), visitors, buyers)


def write_share(load: Load, share: int) -> Iterator[WrittenTop]:
    """Write the top names of a share of the leaderboards, all of whose days were written. Raises StoreError."""
    folder = load.share(share)
    size = load.settings.board_size
    with connected(load.settings) as connection:
        for top in tops_of((folder.read_table(file) for file in folder.names()), size):
            name = keys.top(top.board, top.measure)
            load.stage(connection, name, rank(load.key(name), top.names, top.scores))
            yield WrittenTop(name, top.of)


def write_bad(load: Load, files: Sequence[str]) -> Iterator[int]:
    """Write the number of bad events by reason, and give it in all. Raises StoreError."""
    counts: dict[str, int] = {}
    for file in files:
        reasons = load.folder.read_table(file, ["reason"]).column("reason")
        for found in pc.value_counts(reasons).to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    if counts:
        with connected(load.settings) as connection:
            load.stage(connection, keys.BAD, [set_fields(load.key(keys.BAD), counts)])
    yield sum(counts.values())


def rank(key: str, names: Sequence[str], scores: Sequence[int] | Sequence[float]) -> Iterator[Command]:
    """The commands that put names into a sorted set."""
    for begin in range(0, len(names), _MEMBERS_A_COMMAND):
        end = begin + _MEMBERS_A_COMMAND
        pairs = zip(scores[begin:end], names[begin:end], strict=True)
        yield ("ZADD", key, *(part for pair in pairs for part in pair))


def _count_users(key: str, users: Integers) -> Iterator[Command]:
    texts = users.astype("S20").tolist()
    for begin in range(0, len(texts), _MEMBERS_A_COMMAND):
        yield ("PFADD", key, *texts[begin : begin + _MEMBERS_A_COMMAND])


def set_fields(key: str, fields: Mapping[str, str | int | float]) -> Command:
    """The command that writes fields of a hash."""
    return ("HSET", key, *(part for field in fields.items() for part in field))


def _of_day(day: Day) -> dict[str, int]:
    by_type = dict(zip(EVENT_TYPES, day.events.sum(axis=0).tolist(), strict=True))
    money = int(day.revenue_cents.sum())
    return {"events": int(day.events.sum()), **_without_zeros({**by_type, REVENUE: money})}


def _by_hour(day: Day) -> dict[str, int]:
    rows = np.column_stack([day.events, day.revenue_cents]).tolist()
    fields = (*EVENT_TYPES, REVENUE)
    return _without_zeros(
        {f"{hour:02}:{field}": rows[hour][i] for hour in range(HOURS) for i, field in enumerate(fields)}
    )


def _without_zeros(fields: dict[str, int]) -> dict[str, int]:
    return {field: value for field, value in fields.items() if value}
