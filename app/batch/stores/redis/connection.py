"""A connection that tries again while the server does not answer, and whose errors say what to do."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the client's own
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004 - the client's own
)
from redis.retry import Retry

from app.batch.errors import StoreError
from app.batch.stores.redis.settings import RedisSettings

Command = Sequence[str | bytes | int | float]
Result = TypeVar("Result")

_REFUSED: Final = (AuthenticationError, AuthorizationError)
_MAY_PASS: Final = (ConnectionError, TimeoutError, ClusterDownError)
_ADVICE: Final[tuple[tuple[tuple[type[RedisError], ...], str], ...]] = (
    (
        _REFUSED,
        "refuses the password; set REDIS_PASSWORD or REDIS_PASSWORD_FILE, and the user in REDIS_URL if it has one",
    ),
    (
        (NoPermissionError,),
        "does not allow it; give the user ~{{{prefix}}}:* +@read +@write +@connection +eval +evalsha +script|load",
    ),
    (
        (OutOfMemoryError,),
        "is full; raise its maxmemory, delete what else is in it, or keep fewer names with REDIS_BOARD_SIZE. What it "
        "showed before is still there",
    ),
    ((ReadOnlyError,), "is a replica; put the address of the primary into REDIS_URL"),
    (
        (MovedError,),
        "is a node of a cluster that has other keys; put the address of the node that it names into REDIS_URL",
    ),
    (
        (TimeoutError,),
        "did not answer within {timeout_seconds} s, tried for {retry_seconds} s; look at its load, or raise "
        "REDIS_TIMEOUT_SECONDS",
    ),
    (_MAY_PASS, "cannot be reached, tried for {retry_seconds} s; start it, or set REDIS_URL to where it is"),
    ((RedisError,), "failed; its log may say more"),
)
"""What each kind of error asks the user to do: the first that fits."""

_LONGEST_WAIT: Final = 2.0
_MESSAGE: Final = 300


class Connection:
    """A client of the server. Threads may share it."""

    def __init__(self, settings: RedisSettings, *, as_text: bool = False) -> None:
        """Prepare it; nothing is connected before the first question. `as_text` makes answers text, else bytes."""
        self._settings = settings
        tls = {"ssl": True, "ssl_ca_certs": settings.tls_ca or None} if settings.tls else {}
        # Its own types are of answers as text or as bytes, whichever.
        self.client: Any = Redis(
            settings.host,
            settings.port,
            db=settings.database,
            username=settings.user or None,
            password=settings.password or None,
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
            # Tried again here, by the clock, and not where the password is wrong.
            retry=Retry(NoBackoff(), 0),
            client_name="shop-batch",
            decode_responses=as_text,
            **tls,  # type: ignore[arg-type]
        )

    def ask(self, question: Callable[[Any], Result]) -> Result:
        """Ask, again and again until the server answers or the settings' `retry_seconds` are over.

        What is asked must be harmless to ask twice.

        Raises:
            StoreError: the server does not answer, or refuses.
        """
        end = time.monotonic() + self._settings.retry_seconds
        wait = 0.05
        while True:
            try:
                return question(self.client)
            except _MAY_PASS as error:
                if isinstance(error, _REFUSED) or time.monotonic() >= end:
                    raise _explained(error, self._settings) from error
            except RedisError as error:
                raise _explained(error, self._settings) from error
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def ask_once(self, question: Callable[[Any], Result]) -> Result:
        """Ask without trying again. Raises StoreError."""
        try:
            return question(self.client)
        except RedisError as error:
            raise _explained(error, self._settings) from error

    def send(self, commands: Iterable[Command]) -> list[Any]:
        """Send commands at once, and give their answers. Raises StoreError."""
        batch = list(commands)

        def execute(client: Any) -> list[Any]:
            with client.pipeline(transaction=False) as pipeline:
                for command in batch:
                    pipeline.execute_command(*command)
                return list(pipeline.execute())

        return self.ask(execute)

    def close(self) -> None:
        """Disconnect."""
        self.client.close()


@contextmanager
def connected(settings: RedisSettings, *, as_text: bool = False) -> Iterator[Connection]:
    """A connection, closed at the end."""
    connection = Connection(settings, as_text=as_text)
    try:
        yield connection
    finally:
        connection.close()


def _explained(error: RedisError, settings: RedisSettings) -> StoreError:
    advice = next(advice for kinds, advice in _ADVICE if isinstance(error, kinds))
    told = advice.format(
        prefix=settings.prefix, timeout_seconds=settings.timeout_seconds, retry_seconds=settings.retry_seconds
    )
    return StoreError(f"Redis at {settings.address} {told} ({str(error)[:_MESSAGE]})")
