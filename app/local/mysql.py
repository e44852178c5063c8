"""A real MySQL or MariaDB server with a data directory of its own, the databases and the users of the batch job."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pymysql

from app.batch.stores.mysql.grants import DATABASE, GRAFANA, INIT_CONNECT, LOADER, User, grants_sql
from app.local.mysql_program import Maker, MysqlProgram, get_mysql_program
from app.local.process import LOOPBACK, Command, Server, ServerError, free_port, start
from app.local.workspace import workspace

_INSTALL_SECONDS: Final = 120
_START_SECONDS: Final = 120
# What a data directory is made with must be what the server runs with. Nothing here outlives the machine, so that no
# write needs to reach the disk at once; a killed server loses nothing, since the system keeps what it wrote.
_OPTIONS: Final = (
    "--loose-innodb-log-file-size=64M",  # unknown to MySQL 9
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
)
_SERVER_OPTIONS: Final = (
    "--skip-name-resolve",
    "--default-time-zone=+00:00",
    f"--init-connect={INIT_CONNECT}",
    "--character-set-server=utf8mb4",
    "--local-infile=1",
    "--innodb-buffer-pool-size=256M",
    "--max-allowed-packet=64M",
    "--skip-log-bin",
    "--performance-schema=0",
    "--loose-mysqlx=OFF",  # MySQL's other protocol, at a port of its own
)


@dataclass(frozen=True)
class MysqlServer:
    """A server, its program, its port on the loopback address, its users and the folder of its data."""

    server: Server
    program: MysqlProgram
    port: int
    folder: Path
    root: User
    loader: User
    grafana: User
    host: str = LOOPBACK
    database: str = field(default=DATABASE)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the batch job finds it."""
        return {
            "MYSQL_HOST": self.host,
            "MYSQL_PORT": str(self.port),
            "MYSQL_USER": self.loader.name,
            "MYSQL_PASSWORD": self.loader.password,
            "MYSQL_DATABASE": self.database,
        }

    @property
    def version(self) -> str:
        """What the server says of itself."""
        with self.connect(self.loader) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str((cursor.fetchone() or ("",))[0])

    def wait(self) -> None:
        """Wait until it answers with its users made. Raises ServerError."""
        self.server.wait_until(self._answers)

    def connect(self, user: User) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
        """Connect as a user, for a look into the server. Raises pymysql.OperationalError."""
        return pymysql.connect(
            host=self.host, port=self.port, user=user.name, password=user.password, autocommit=True, connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            self.connect(self.loader).close()
        except pymysql.Error:
            return False
        return True


@contextmanager
def mysql_server(
    maker: Maker | None = None, *, folder: Path | None = None, options: Sequence[str] = ()
) -> Iterator[MysqlServer]:
    """Run a server whose data are in a new temporary folder, or below `folder`; `options` are added to its own.

    The program is installed first where there is none. Raises ServerError with the end of its log if it does not start.
    """
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        mysql = start_mysql(place, maker, options=options)
        stack.callback(mysql.server.stop)
        mysql.wait()
        yield mysql


def start_mysql(folder: Path, maker: Maker | None = None, *, options: Sequence[str] = ()) -> MysqlServer:
    """Make a data directory below `folder` and start a server on it without waiting; the caller stops its server.

    Raises ServerError.
    """
    program = get_mysql_program(maker)
    place = folder / "mysql"
    place.mkdir()
    _install(program, place)
    root, loader, grafana = (User(name, secrets.token_urlsafe(16)) for name in ("root", LOADER, GRAFANA))
    users = place / "users.sql"
    users.touch(mode=0o600)
    statements = (*_root_only(root), *grants_sql(loader, grafana))
    users.write_text("".join(f"{statement};\n" for statement in statements))
    port = free_port()
    server = _start(program, place, port, options)
    return MysqlServer(server, program, port, place, root, loader, grafana)


def restart_mysql(mysql: MysqlServer, *, options: Sequence[str] = ()) -> MysqlServer:
    """Start a server that has ended again, on the same data and port, without waiting. Raises ServerError."""
    return replace(mysql, server=_start(mysql.program, mysql.folder, mysql.port, options))


def _root_only(root: User) -> list[str]:
    """Statements that leave none of the users without password with which an installation begins."""
    hosts = ("localhost", os.uname().nodename.lower())
    unknown = [f"DROP USER IF EXISTS ''@'{host}'" for host in hosts]
    unknown += [f"DROP USER IF EXISTS 'root'@'{host}'" for host in (*hosts[1:], "::1")]
    return [
        *unknown,
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{root.password}'",
        f"CREATE USER IF NOT EXISTS 'root'@'{LOOPBACK}'",
        f"ALTER USER 'root'@'{LOOPBACK}' IDENTIFIED BY '{root.password}'",
        f"GRANT ALL PRIVILEGES ON *.* TO 'root'@'{LOOPBACK}' WITH GRANT OPTION",
    ]


def _install(program: MysqlProgram, place: Path) -> None:
    command = program.install_command([*_as_this_user(), *_OPTIONS], place / "data")
    answer = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, env={**os.environ, **program.environment}
    )
    if answer.returncode:
        raise ServerError(f"No data directory could be made by {' '.join(command)}:\n{answer.stdout}{answer.stderr}")


def _start(program: MysqlProgram, place: Path, port: int, options: Sequence[str]) -> Server:
    arguments = [
        str(program.program),
        "--no-defaults",
        *([f"--basedir={program.basedir}"] if program.basedir else []),
        f"--datadir={place / 'data'}",
        # The place of a Unix socket has few characters, so that it is named from the data directory.
        *("--socket=mysql.sock", "--pid-file=mysql.pid", f"--bind-address={LOOPBACK}", f"--port={port}"),
        f"--init-file={place / 'users.sql'}",
        f"--secure-file-priv={place}",  # a package's own folder for it may be missing
        *_as_this_user(),
        *_OPTIONS,
        *_SERVER_OPTIONS,
        *options,
    ]
    return start(Command("MySQL server", arguments, program.environment, seconds=_START_SECONDS), place.parent)


def _as_this_user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
