"""The users of a MySQL server and what each may do: the same statements for one machine, containers and the cloud.

    python -m app.batch.stores.mysql.grants > users.sql     passwords from the environment, never as arguments

The loader makes and swaps tables, in the database that readers see and in the one where a run prepares them. Grafana
reads the first, and nothing else; its server also has to be given `INIT_CONNECT`.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.batch.errors import SettingsError

LOADER: Final = "loader"
GRAFANA: Final = "grafana"
DATABASE: Final = "shop"
STAGING_SUFFIX: Final = "_staging"

INIT_CONNECT: Final = (
    f"SET SESSION sql_mode = IF(USER() LIKE '{GRAFANA}@%', CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'), @@sql_mode)"
)
"""What the server runs for each connection (`init_connect`). Grafana doubles the quotes in a value and leaves its
backslashes, so that a brand such as `\\') UNION SELECT ...` would end its literal where a backslash escapes."""

_LOADER_RIGHTS: Final = "SELECT, INSERT, DELETE, CREATE, ALTER, DROP"
_READER_RIGHTS: Final = "SELECT"


@dataclass(frozen=True)
class User:
    """A user who may come from any host, and the password."""

    name: str
    password: str = field(repr=False)


def grants_sql(
    loader: User, grafana: User | None = None, *, database: str = DATABASE, tls_required: bool = False
) -> list[str]:
    """Statements without end that make both databases and users with only the rights they need.

    They may be run again, and then set the passwords anew. One line each, as `init-file` of the server wants them. With
    `tls_required` users come by TLS or not at all: Grafana's data source has to be told so then.
    """
    staging = database + STAGING_SUFFIX
    statements = [
        f"CREATE DATABASE IF NOT EXISTS {_name(database)} CHARACTER SET utf8mb4",
        f"CREATE DATABASE IF NOT EXISTS {_name(staging)} CHARACTER SET utf8mb4",
        *_user(loader, tls_required=tls_required),
        f"GRANT {_LOADER_RIGHTS} ON {_pattern(database)}.* TO {_text(loader.name)}@'%'",
        f"GRANT {_LOADER_RIGHTS} ON {_pattern(staging)}.* TO {_text(loader.name)}@'%'",
    ]
    if grafana:
        statements += [
            *_user(grafana, tls_required=tls_required),
            f"GRANT {_READER_RIGHTS} ON {_pattern(database)}.* TO {_text(grafana.name)}@'%'",
        ]
    return statements


def _user(user: User, *, tls_required: bool) -> list[str]:
    who = f"{_text(user.name)}@'%'"
    return [
        f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY {_text(user.password)}",
        f"ALTER USER {who} IDENTIFIED BY {_text(user.password)} REQUIRE {'SSL' if tls_required else 'NONE'}",
    ]


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _name(value: str) -> str:
    return "`" + value.replace("`", "``") + "`"


def _pattern(database: str) -> str:
    """A database's name as a grant takes it, in which _ and % would stand for any characters."""
    return _name(database.replace("_", r"\_").replace("%", r"\%"))


def _from_environment(environment: Mapping[str, str]) -> list[str]:
    missing = [name for name in ("MYSQL_PASSWORD", "GRAFANA_MYSQL_PASSWORD") if not environment.get(name)]
    if missing:
        raise SettingsError(f"{' and '.join(missing)}: set the passwords of the users {LOADER} and {GRAFANA} there")
    return grants_sql(
        User(environment.get("MYSQL_USER", LOADER), environment["MYSQL_PASSWORD"]),
        User(environment.get("GRAFANA_MYSQL_USER", GRAFANA), environment["GRAFANA_MYSQL_PASSWORD"]),
        database=environment.get("MYSQL_DATABASE", DATABASE),
        tls_required=bool(environment.get("MYSQL_TLS_CA")),
    )


def main() -> int:
    """Print the statements; the exit code."""
    try:
        statements = _from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{statement};\n" for statement in statements)
    return 0


if __name__ == "__main__":
    sys.exit(main())
