"""The row that says what readers see, and that one run at a time may change.

All of it is in one row, so that each change of it is one light-weight transaction: who has lost the lock to another run
cannot show anything any more.
"""
# ruff: noqa: S608 - the names of tables and columns are our own

import logging
import threading
import time
from dataclasses import dataclass
from typing import Final

from app.batch.errors import StoreBusyError, StoreError
from app.batch.stores.cassandra.schema import CREATE_STATE, DROP, SLOTS, STATE, STEPS, VERSION
from app.batch.stores.cassandra.session import Session

_log = logging.getLogger(__name__)
_NAME: Final = "shop"
_POLL_SECONDS: Final = 0.5
_RENEWALS: Final = 6
"""How often the lock is renewed before it would expire."""


@dataclass(frozen=True)
class Live:
    """What readers see: the slot and the run in it; None before the first load."""

    slot: str | None
    run: str | None

    @property
    def other_slot(self) -> str:
        """The slot that the next load fills."""
        return SLOTS[self.slot == SLOTS[0]]


def read_live(session: Session) -> Live:
    """What readers see. Raises StoreError."""
    rows = session.ask(f"SELECT slot, run FROM {STATE} WHERE name = %s", (_NAME,))
    return Live(rows[0]["slot"], rows[0]["run"]) if rows else Live(None, None)


class State:
    """The lock of a run, and what it does with the row. A thread of its own renews the lock."""

    def __init__(self, session: Session, run: str) -> None:
        """Prepare it; nothing is locked yet."""
        self._session = session
        self._run = run
        self._seconds = session.settings.lock_seconds
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def lock(self) -> None:
        """Lock, and wait for the lock of a run that was killed to expire.

        Raises:
            StoreBusyError: another run has it, and lives.
            StoreError: no node answers.
        """
        self._session.ask(CREATE_STATE)
        end = time.monotonic() + self._seconds * (1 + 1 / _RENEWALS)
        while (owner := self._take()) != self._run:
            if time.monotonic() >= end:
                raise StoreBusyError(
                    f"another run ({owner}) is loading Cassandra at {self._session.settings.address}; wait for it, or "
                    "give this one a CASSANDRA_KEYSPACE of its own"
                )
            time.sleep(_POLL_SECONDS)
        self._renewing = threading.Thread(target=self._renew, name="cassandra-lock", daemon=True)
        self._renewing.start()

    def migrate(self) -> None:
        """Bring the tables to this program's version.

        A step that drops tables first says that nothing is loaded: readers must not take empty tables for answers.

        Raises:
            StoreError: they are of a newer one.
        """
        rows = self._session.ask(f"SELECT version FROM {STATE} WHERE name = %s", (_NAME,))
        version = (rows[0]["version"] if rows else None) or 0
        if version > VERSION:
            raise StoreError(
                f"Cassandra at {self._session.settings.address} has tables of version {version}, and this program "
                f"knows {VERSION}; load with a newer one, or give this one a CASSANDRA_KEYSPACE of its own"
            )
        for number, statements in enumerate(STEPS[version:], version + 1):
            if any(statement.startswith(DROP) for statement in statements):
                self._set("slot = %s, run = %s", [None, None])
            for statement in statements:
                self._session.ask(statement)
            self._set("version = %s", [number])

    def check(self) -> None:
        """Raise StoreBusyError where another run has taken the lock meanwhile."""
        owner = self._take()
        if owner != self._run:
            raise StoreBusyError(
                f"another run ({owner}) has begun to load Cassandra at {self._session.settings.address} since this one "
                f"could not reach it for {self._seconds} s; run again when that one has ended"
            )

    def show(self, slot: str) -> None:
        """Make readers see the run, in this slot. Raises StoreBusyError and StoreError."""
        self.check()
        self._set("slot = %s, run = %s", [slot, self._run])

    def release(self) -> None:
        """Unlock, where a node can be reached."""
        self._ended.set()
        if self._renewing is None:
            return
        self._renewing.join()
        self._renewing = None
        try:
            self._session.ask_once(
                f"UPDATE {STATE} SET owner = null WHERE name = %s IF owner = %s",
                (_NAME, self._run),
            )
        except StoreError as error:
            _log.debug("the lock will expire by itself: %s", error)

    def _take(self) -> str:
        """Take or renew the lock; who has it then."""
        for before in (self._run, None):
            (answer,) = self._session.ask(
                f"UPDATE {STATE} USING TTL {self._seconds} SET owner = %s WHERE name = %s IF owner = %s",
                (self._run, _NAME, before),
            )
            if answer["[applied]"]:
                return self._run
        return answer.get("owner") or "which has just ended"

    def _set(self, assignments: str, values: list[object]) -> None:
        (answer,) = self._session.ask(
            f"UPDATE {STATE} SET {assignments} WHERE name = %s IF owner = %s",
            (*values, _NAME, self._run),
        )
        if not answer["[applied]"]:
            self.check()
            self._set(assignments, values)

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWALS):
            try:
                self._session.ask_once(
                    f"UPDATE {STATE} USING TTL {self._seconds} SET owner = %s WHERE name = %s IF owner = %s",
                    (self._run, _NAME, self._run),
                )
            except StoreError as error:
                _log.debug("the lock was not renewed: %s", error)
