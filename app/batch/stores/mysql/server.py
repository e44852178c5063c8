"""A connection to the MySQL server, and what its errors mean for a run."""

import socket
import ssl
from typing import Any, Final, TypeAlias

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from app.batch.errors import BatchError, StoreBusyError, StoreError
from app.batch.stores.mysql.settings import MysqlSettings

MysqlConnection: TypeAlias = Connection
"""An open connection; each statement is a transaction of its own unless one is begun."""

_CONNECT_SECONDS: Final = 10
_LONGEST_SILENCE: Final = 86_400
# What is between forgets a connection on which nothing passes, a firewall of Google Cloud after ten minutes.
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 30}
# Numbers of errors, the client's and both servers': see "Error Messages and Common Problems" in MySQL's manual and
# "MariaDB Error Codes".
_PASSING: Final = frozenset(
    {
        0,
        1040,
        1053,
        1077,
        1152,
        1153,
        1158,
        1159,
        1160,
        1161,
        1205,
        1213,
        1317,
        1927,
        2002,
        2003,
        2006,
        2013,
        2055,
        4031,
    }
)
_REFUSED: Final = frozenset({1045, 1698, 1862, 3118})
_FORBIDDEN: Final = frozenset({1044, 1142, 1227, 1370})
_FULL: Final = frozenset({1021, 1114, 1878})
NO_TABLE: Final = 1146
_NO_LOCAL_FILES: Final = frozenset({1148, 3948, 4166})
_SIGN_OF_DISTRUST: Final = "CERTIFICATE_VERIFY_FAILED"
_SIGNS_OF_FULL: Final = ("No space left", "errno: 28", "Errcode: 28", "error 28")


def connect(settings: MysqlSettings) -> MysqlConnection:
    """Connect, in UTC and strict: a value that does not fit is an error. Raises pymysql.Error."""
    wait = min(_CONNECT_SECONDS, settings.timeout_seconds)
    connection = pymysql.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password,
        charset="utf8mb4",
        autocommit=True,
        local_infile=True,
        connect_timeout=wait,
        read_timeout=wait,
        write_timeout=wait,
        ssl=ssl.create_default_context(cafile=settings.tls_ca) if settings.tls_ca else None,
    )
    # A server may take its time for an answer, but not for letting in; the client has one name for both.
    connection._read_timeout = connection._write_timeout = settings.timeout_seconds
    for option, seconds in _KEEP_ALIVE.items():
        if hasattr(socket, option):
            connection._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    # A table that readers hold is waited for, not for a day as the server would; while Spark works, nothing is asked.
    run(
        connection,
        "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
        f"lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}, wait_timeout = {_LONGEST_SILENCE}",
    )
    return connection


def run(connection: MysqlConnection, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement with values in place of its %s, and give its rows. Raises pymysql.Error."""
    cursor: Cursor
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def number(error: pymysql.Error) -> int:
    """The number of an error, 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def is_passing(error: pymysql.Error) -> bool:
    """Whether the same may go well a little later: the server is down, starts, is busy, or the network was."""
    return number(error) in _PASSING and not _is_full(error) and not _is_distrusted(error)


def explained(error: pymysql.Error, settings: MysqlSettings) -> BatchError:
    """An error that names the store and its address, and says what to do."""
    what = str(error.args[1] if len(error.args) > 1 else error) or type(error).__name__
    where = f"MySQL at {settings.address}"
    if _is_full(error):
        return StoreError(
            f"the disk of {where} is full ({what}); free space there and run again. It still shows the run before"
        )
    if _is_distrusted(error):
        return StoreError(
            f"the certificate of {where} is not to be trusted ({what}); check MYSQL_TLS_CA, and that MYSQL_HOST is the "
            "name in the certificate"
        )
    if number(error) in _REFUSED:
        return StoreError(
            f"{where} refuses the user {settings.user!r} ({what}); check MYSQL_USER, and MYSQL_PASSWORD or "
            "MYSQL_PASSWORD_FILE"
        )
    if number(error) in _FORBIDDEN:
        return StoreError(
            f"{where} does not let the user {settings.user!r} do this ({what}); give the rights that "
            "`python -m app.batch.stores.mysql.grants` prints"
        )
    if number(error) == NO_TABLE:
        return lost(settings)
    if number(error) in _NO_LOCAL_FILES:
        return StoreError(f"{where} takes no LOAD DATA LOCAL ({what}); start it with local_infile=ON")
    if is_passing(error):
        return StoreError(
            f"{where} does not answer ({what}); it was tried for {settings.retry_seconds} s. See whether it runs and "
            "has work to do, check MYSQL_HOST and MYSQL_PORT, and run again. It still shows the run before"
        )
    return StoreError(
        f"{where} failed: {what} (error {number(error)}). It still shows the run before; see the server's log, mend "
        "what it names, and run again"
    )


def lost(settings: MysqlSettings) -> StoreError:
    """The error of a run whose tables another run has cleared."""
    return StoreError(
        f"MySQL at {settings.address} has lost what this run loaded: another run has cleared {settings.staging} while "
        "the connection was gone. It shows the run before; run again"
    )


def hold_lock(connection: MysqlConnection, settings: MysqlSettings, *, wait_seconds: int) -> None:
    """Keep other runs out for as long as the connection is open. Raises StoreBusyError, pymysql.Error."""
    ((held,),) = run(connection, "SELECT GET_LOCK(%s, %s)", settings.staging, wait_seconds)
    if held != 1:
        raise StoreBusyError(
            f"another run is writing to {settings.database} of MySQL at {settings.address}; wait for it, or give "
            "another MYSQL_DATABASE"
        )


def quoted(*names: str) -> str:
    """A name, or a database's and a table's, as SQL takes it."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def _is_full(error: pymysql.Error) -> bool:
    return number(error) in _FULL or any(sign in str(error) for sign in _SIGNS_OF_FULL)


def _is_distrusted(error: pymysql.Error) -> bool:
    return _SIGN_OF_DISTRUST in str(error)
