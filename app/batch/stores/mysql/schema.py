"""Tables as a MySQL server has them: which there are, what is dropped, what of an earlier run is kept."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from app.batch.errors import StoreError
from app.batch.stores.mysql.server import MysqlConnection, quoted, run
from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.stores.mysql.tables import KEPT_RUNS, Table

_NOTHING: Final = {pa.string(): "''", pa.int64(): "0", pa.float64(): "0", pa.timestamp("us", "UTC"): "'1970-01-01'"}
"""What stands in a column that an older version of a history table has not."""


def check_server(connection: MysqlConnection, settings: MysqlSettings) -> None:
    """Raises StoreError where the server takes no LOAD DATA LOCAL, pymysql.Error."""
    ((allowed,),) = run(connection, "SELECT @@GLOBAL.local_infile")
    if not allowed:
        raise StoreError(f"MySQL at {settings.address} takes no LOAD DATA LOCAL; start it with local_infile=ON")


def make_databases(connection: MysqlConnection, *databases: str) -> None:
    """Make those that are missing: where both are there, no right to is needed. Raises pymysql.Error."""
    for database in databases:
        if not run(connection, "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", database):
            run(connection, f"CREATE DATABASE IF NOT EXISTS {quoted(database)} CHARACTER SET utf8mb4")


def tables_in(connection: MysqlConnection, database: str) -> dict[str, str]:
    """Each table's comment. Raises pymysql.Error."""
    found = run(
        connection,
        "SELECT table_name, table_comment FROM information_schema.tables "
        "WHERE table_schema = %s AND table_type = 'BASE TABLE'",
        database,
    )
    return dict(found)


def drop(connection: MysqlConnection, database: str, names: Sequence[str]) -> None:
    """Drop tables. Raises pymysql.Error."""
    if names:
        run(connection, "DROP TABLE IF EXISTS " + ", ".join(quoted(database, name) for name in names))


def drop_all(connection: MysqlConnection, database: str) -> None:
    """Drop all tables of a database. Raises pymysql.Error."""
    drop(connection, database, list(tables_in(connection, database)))


def copy_history(connection: MysqlConnection, table: Table, database: str, staged: str) -> None:
    """Copy the rows of earlier runs from the table that readers see, also from one of an older version.

    Raises pymysql.Error.
    """
    found = run(
        connection,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        database,
        table.name,
    )
    present = {name for (name,) in found}
    if "run" not in present:
        return
    columns = [field for field in table.schema if field.name in present or not field.nullable]
    values = [quoted(field.name) if field.name in present else _NOTHING[field.type] for field in columns]
    shown = quoted(database, table.name)
    run(
        connection,
        f"INSERT INTO {staged} ({', '.join(quoted(field.name) for field in columns)}) "  # noqa: S608 - our own names
        f"SELECT {', '.join(values)} FROM {shown} WHERE run IN (SELECT run FROM ("
        f"SELECT DISTINCT run FROM {shown} ORDER BY run DESC LIMIT {KEPT_RUNS - 1}) AS kept)",
    )
