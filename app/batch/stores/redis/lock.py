"""One run at a time: a key with the run's id that expires unless its owner, while it lives, keeps renewing it."""

import logging
import threading
from typing import Final

from app.batch.errors import StoreBusyError, StoreError
from app.batch.stores.redis.connection import Connection
from app.batch.stores.redis.keys import Keys
from app.batch.stores.redis.settings import RedisSettings

_log = logging.getLogger(__name__)
_RENEWALS: Final = 6
"""How often it is renewed before it would expire."""
_POLL_SECONDS: Final = 0.2


class RunLock:
    """The lock of a run. A thread of its own renews it."""

    def __init__(self, settings: RedisSettings, run: str) -> None:
        """Prepare it; nothing is locked yet."""
        self._settings = settings
        self._key = Keys(settings.prefix).lock
        self._connection = Connection(settings)
        self._lock = self._connection.client.lock(
            self._key, timeout=settings.lock_seconds, sleep=_POLL_SECONDS, thread_local=False
        )
        self._run = run
        # The lock has it from the start, so that it knows its own after an attempt whose answer was lost.
        self._lock.local.token = run.encode()
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self) -> None:
        """Lock, which may be done again after the server lost it.

        Waits for the lock of a run that was killed to expire.

        Raises:
            StoreBusyError: another run has it, and lives.
            StoreError: the server does not answer.
        """
        wait = self._settings.lock_seconds * (1 + 1 / _RENEWALS)
        taken = self._connection.ask(
            lambda _: self._lock.owned() or self._lock.acquire(blocking_timeout=wait, token=self._run)
        )
        if not taken:
            owner = self._connection.ask(lambda client: client.get(self._key)) or b"which has just ended"
            raise StoreBusyError(
                f"another run ({owner.decode()}) is loading Redis at {self._settings.address}; wait for it, or "
                "give this one a REDIS_PREFIX of its own"
            )
        if self._renewing is None:
            self._renewing = threading.Thread(target=self._renew, name="redis-lock", daemon=True)
            self._renewing.start()

    def is_held(self) -> bool:
        """Whether the server still knows of it. Raises StoreError."""
        return self._connection.ask(lambda _: bool(self._lock.owned()))

    def release(self) -> None:
        """Unlock, where the server can be reached."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
            self._renewing = None
            try:
                self._connection.ask_once(lambda _: self._lock.release())
            except StoreError as error:
                _log.debug("the lock was not there, or will expire: %s", error)
        self._connection.close()

    def _renew(self) -> None:
        while not self._ended.wait(self._settings.lock_seconds / _RENEWALS):
            try:
                self._connection.ask_once(lambda _: self._lock.reacquire())
            except StoreError as error:
                _log.debug("the lock was not renewed: %s", error)
