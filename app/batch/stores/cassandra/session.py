"""The driver's session for all but the writing of rows: asked again while no node answers, its errors in words."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ssl import SSLCertVerificationError
from typing import Any, Final, TypeVar

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    OperationTimedOut,
    RequestExecutionException,
    Unauthorized,
    Unavailable,
    UnresolvableContactPoints,
    WriteFailure,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.protocol import ErrorMessage
from cassandra.query import dict_factory

from app.batch.errors import StoreError
from app.batch.stores.cassandra.explain import explained, may_pass
from app.batch.stores.cassandra.settings import CassandraSettings
from app.batch.stores.cassandra.wire import BAD_CREDENTIALS, CqlError

Row = dict[str, Any]
Question = tuple[str, Sequence[Any]]
Result = TypeVar("Result")

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0
_AT_ONCE: Final = 8
# The driver tells of each connection that it loses, and tries again by itself.
for _noisy in (
    "cassandra.cluster",
    "cassandra.connection",
    "cassandra.pool",
    "cassandra.protocol",
    "cassandra.policies",
):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


class Session:
    """A connection to the cluster. Threads may share it."""

    def __init__(self, settings: CassandraSettings) -> None:
        """Prepare it; nothing is connected before the first question."""
        self.settings = settings
        self._cluster: Cluster | None = None
        self._session: Any = None
        self._statements: dict[str, Any] = {}

    def ask(self, cql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a statement, `%s` for each value, again and again until it is answered or `retry_seconds` are over.

        It must be harmless to run twice.

        Raises:
            StoreError: no node answers, or one refuses.
        """
        return self._patiently(lambda session: list(session.execute(cql, values or None)))

    def ask_once(self, cql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run a statement without trying again. Raises StoreError."""
        try:
            return list(self._connected().execute(cql, values or None))
        except (DriverException, ErrorMessage, NoHostAvailable) as error:
            raise explained(_plain(error), self.settings) from error

    def ask_all(self, questions: Sequence[Question]) -> list[list[Row]]:
        """Run prepared statements, `?` for each value, several at once. Raises StoreError."""

        def run(session: Any) -> list[list[Row]]:
            bound = [(self._prepared(session, cql), values) for cql, values in questions]
            return [list(result) for _, result in execute_concurrent(session, bound, concurrency=_AT_ONCE)]

        return self._patiently(run)

    def close(self) -> None:
        """Disconnect."""
        if self._cluster is not None:
            self._cluster.shutdown()
            self._cluster = self._session = None
            self._statements = {}

    def _patiently(self, question: Callable[[Any], Result]) -> Result:
        end = time.monotonic() + self.settings.retry_seconds
        wait = _FIRST_WAIT
        while True:
            try:
                return question(self._connected())
            except (DriverException, ErrorMessage, NoHostAvailable) as error:
                plain = _plain(error)
                if not may_pass(plain) or time.monotonic() >= end:
                    raise explained(plain, self.settings) from error
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _connected(self) -> Any:
        if self._session is None:
            self._cluster = self._made()
            try:
                self._session = self._cluster.connect()
                self._use_keyspace()
            except BaseException:
                self._cluster.shutdown()
                self._cluster = self._session = None
                raise
        return self._session

    def _use_keyspace(self) -> None:
        """Make the keyspace if it is not there, which a user with rights on it alone may not."""
        name = self.settings.keyspace
        if not list(self._session.execute("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = %s", (name,))):
            (local,) = self._session.execute("SELECT data_center FROM system.local")
            self._session.execute(
                f"CREATE KEYSPACE IF NOT EXISTS {name} WITH replication = {{'class': 'NetworkTopologyStrategy', "
                f"'{local['data_center']}': {self.settings.replication}}}"
            )
        self._session.set_keyspace(name)

    def _prepared(self, session: Any, cql: str) -> Any:
        if cql not in self._statements:
            self._statements[cql] = session.prepare(cql)
        return self._statements[cql]

    def _made(self) -> Cluster:
        settings = self.settings
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            consistency_level=ConsistencyLevel.name_to_value[settings.consistency],
            serial_consistency_level=ConsistencyLevel.SERIAL,
            request_timeout=settings.timeout_seconds,
            row_factory=dict_factory,
        )
        return Cluster(
            [host.strip("[]") for host in settings.hosts],
            port=settings.port,
            auth_provider=PlainTextAuthProvider(settings.user, settings.password) if settings.user else None,
            ssl_context=settings.tls_context(),
            protocol_version=4,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            reconnection_policy=ConstantReconnectionPolicy(1.0, None),
            connect_timeout=settings.timeout_seconds,
            schema_metadata_enabled=False,
            application_name="shop-batch",
        )


@contextmanager
def connected(settings: CassandraSettings) -> Iterator[Session]:
    """A session, closed at the end."""
    session = Session(settings)
    try:
        yield session
    finally:
        session.close()


def _plain(error: Exception) -> Exception:
    """The driver's error as one of the network or of the server."""
    if isinstance(error, NoHostAvailable):
        inner = list(error.errors.values()) if isinstance(error.errors, Mapping) else list(error.errors or ())
        for one in inner:
            if isinstance(one, (AuthenticationFailed, Unauthorized)):
                return _plain(one)
            if "CERTIFICATE_VERIFY_FAILED" in str(one):
                return SSLCertVerificationError(str(one))
        return next((_plain(one) for one in inner if isinstance(one, OperationTimedOut)), OSError(str(error)))
    for kind, code in (
        (AuthenticationFailed, BAD_CREDENTIALS),
        (Unauthorized, 0x2100),
        (Unavailable, 0x1000),
        (WriteFailure, 0x1500),
    ):
        if isinstance(error, kind):
            return CqlError(code, str(error))
    if isinstance(error, OperationTimedOut):
        return TimeoutError(str(error))
    if isinstance(error, UnresolvableContactPoints):
        return OSError("no name of CASSANDRA_HOSTS is known to the network")
    if isinstance(error, RequestExecutionException):
        return CqlError(0x1100, str(error))
    if isinstance(error, ErrorMessage):
        return CqlError(error.code, error.message if isinstance(error.message, str) else str(error))
    return error if isinstance(error, (OSError, StoreError)) else CqlError(0x2200, str(error))
