"""What the server holds of a run that is not shown yet, counted there."""

from dataclasses import asdict, dataclass
from typing import Final

from app.batch.stores import Stored
from app.batch.stores.redis import keys
from app.batch.stores.redis.connection import Command, Connection
from app.batch.stores.redis.keys import Keys
from app.batch.stores.redis.load import Written
from app.batch.stores.redis.settings import RedisSettings
from app.events.ledger import Ledger, LedgerError
from app.events.schema import EVENT_TYPES

_NAMED: Final = 5


@dataclass(frozen=True)
class Held:
    """A run's keys. `connection` gives answers as text."""

    connection: Connection
    settings: RedisSettings
    run: str

    def count(self, written: Written) -> Stored:
        """Events by the counters of hours, and bad events by reason. Raises StoreError."""
        return Stored(sum(self._events_by_hour(written)), self._sum_of(keys.BAD))

    def lost(self, written: Written) -> list[str]:
        """Names of keys that are not there, or without all that was written to them. Raises StoreError.

        A server that was restarted may be back at an earlier time, and have what was written before that and since.
        """
        expected: list[tuple[str, Command, object]] = []
        for day in written.days:
            of_day, visitors, buyers = keys.day(day.date), keys.visitors(day.date), keys.buyers(day.date)
            expected += [
                (keys.DAYS, ("HGET", self._key(keys.DAYS), day.date), str(day.events)),
                (of_day, ("HGET", self._key(of_day), "events"), str(day.events)),
                (visitors, ("PFCOUNT", self._key(visitors)), day.visitors),
                (buyers, ("PFCOUNT", self._key(buyers)), day.buyers),
            ]
        for name, of in written.tops.items():
            expected.append((name, ("ZCARD", self._key(name)), min(of, self.settings.board_size)))
        found = self.connection.send([command for _, command, _ in expected])
        lost = {name for (name, _, value), answer in zip(expected, found, strict=True) if answer != value}
        by_hour = zip(written.days, self._events_by_hour(written), strict=True)
        lost |= {keys.hours(day.date) for day, events in by_hour if events != day.events}
        if self._sum_of(keys.BAD) != written.bad_events:
            lost.add(keys.BAD)
        (named,) = self.connection.send([("SMEMBERS", self._key(keys.KEYS))])
        return sorted(lost | written.names() - set(named))

    def check(self, written: Written, ledger: Ledger) -> None:
        """Compare all that can be counted with the ledger.

        Raises:
            LedgerError: they differ.
            StoreError: the server does not answer.
        """
        stored, by_day = self.count(written), self._sum_of(keys.DAYS)
        (run,) = self.connection.send([("HGETALL", self._key(keys.RUN))])
        kept = {name: run.get(name) for name in asdict(ledger)}
        if (
            stored != Stored(ledger.stored, ledger.bad)
            or by_day != ledger.stored
            or kept != {name: str(count) for name, count in asdict(ledger).items()}
        ):
            raise LedgerError(
                f"Redis holds {stored.events:,} events by hour, {by_day:,} by day, {stored.bad_events:,} bad events "
                f"and the ledger {kept}, but the run's ledger is {ledger}"
            )
        if lost := self.lost(written):
            raise LedgerError(f"Redis lost keys of the run, or parts of them: {', '.join(lost[:_NAMED])}")

    def _events_by_hour(self, written: Written) -> list[int]:
        """The sum of each day's counters of events."""
        hours = self.connection.send([("HGETALL", self._key(keys.hours(day.date))) for day in written.days])
        return [
            sum(int(count) for field, count in fields.items() if field.partition(":")[2] in EVENT_TYPES)
            for fields in hours
        ]

    def _sum_of(self, name: str) -> int:
        """The sum of a hash's values."""
        (values,) = self.connection.send([("HVALS", self._key(name))])
        return sum(map(int, values))

    def _key(self, name: str) -> str:
        return Keys(self.settings.prefix).staged(self.run, name)
