"""The connection of a run: it holds the lock of the database, and is made anew where it is lost."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

import pymysql

from app.batch.stores.mysql.server import MysqlConnection, connect, explained, hold_lock, is_passing
from app.batch.stores.mysql.settings import MysqlSettings

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 8.0
_LOCK_SECONDS: Final = 10


class Session:
    """What a run asks the server, one thing after the other. `connection` is None where there is none, for now."""

    def __init__(self, settings: MysqlSettings) -> None:
        """Prepare it; nothing is connected before the first step."""
        self.connection: MysqlConnection | None = None
        self._settings = settings
        self._is_new = True

    def do(self, what: str, step: Callable[[MysqlConnection], _T]) -> _T:
        """Do a step that may be done again, and again while the server does not answer, for as long as is set.

        `what` is what becomes of the store by it, such as "loaded".

        Raises:
            StoreBusyError: another run holds the lock.
            StoreError: the server does not answer, or refuses.
        """
        deadline: float | None = None
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return step(self._connected())
            except pymysql.Error as error:
                now = time.monotonic()
                deadline = deadline or now + self._settings.retry_seconds
                self.disconnect()
                if not is_passing(error) or now + wait > deadline:
                    raise explained(error, self._settings) from error
                _log.warning(
                    "MySQL at %s could not be %s (%s); trying again", self._settings.address, what, error.args[-1]
                )
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)

    def disconnect(self) -> None:
        """Let go of the connection, and with it of the lock."""
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(pymysql.Error):
                connection.close()

    def _connected(self) -> MysqlConnection:
        if self.connection is None:
            connection = connect(self._settings)
            try:
                # The lost connection's lock is let go of when the server notices the loss.
                hold_lock(connection, self._settings, wait_seconds=0 if self._is_new else _LOCK_SECONDS)
            except BaseException:
                connection.close()
                raise
            self.connection, self._is_new = connection, False
        return self.connection
