"""What the server holds of a run that is not shown yet, counted there."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.batch.stores import Stored
from app.batch.stores.redis import keys
from app.batch.stores.redis.connection import Connection
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
        hours = self._ask("HGETALL", (keys.hours(day.date) for day in written.days))
        events = sum(
            int(count) for fields in hours for field, count in fields.items() if field.partition(":")[2] in EVENT_TYPES
        )
        (reasons,) = self._ask("HVALS", [keys.BAD])
        return Stored(events, sum(map(int, reasons)))

    def lost(self, written: Written) -> list[str]:
        """Names of keys that are not there, and of leaderboards without some of their names. Raises StoreError."""
        names = [
            name
            for day in written.days
            for name in (
                *(of(day.date) for of in (keys.day, keys.hours, keys.visitors)),
                *([keys.buyers(day.date)] if day.has_buyers else []),
            )
        ]
        found = self._ask("EXISTS", names)
        lost = [name for name, exists in zip(names, found, strict=True) if not exists]
        sizes = self._ask("ZCARD", written.tops)
        for (name, of), size in zip(written.tops.items(), sizes, strict=True):
            if size != min(of, self.settings.board_size):
                lost.append(name)
        return lost

    def check(self, written: Written, ledger: Ledger) -> None:
        """Compare all that can be counted with the ledger.

        Raises:
            LedgerError: they differ.
            StoreError: the server does not answer.
        """
        stored = self.count(written)
        (days,) = self._ask("HVALS", [keys.DAYS])
        by_day = sum(map(int, days))
        (run,) = self._ask("HGETALL", [keys.RUN])
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

    def _ask(self, command: str, names: Iterable[str]) -> list[Any]:
        at = Keys(self.settings.prefix)
        return self.connection.send([(command, at.staged(self.run, name)) for name in names])
