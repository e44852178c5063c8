"""Rows into a table by LOAD DATA LOCAL, streamed: neither a file nor a whole partition is kept anywhere."""

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql

from app.batch.folder import Folder
from app.batch.stores.mysql.rows import as_text
from app.batch.stores.mysql.server import MysqlConnection, connect, number, quoted, run
from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.tasks import Tasks

_CONNECTION_FAILED: Final = 2013
_BATCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of a file in an executor; `error` is 0 where it was loaded."""

    rows: int
    error: int = 0
    message: str = ""


def load(connection: MysqlConnection, table: tuple[str, str], batches: Iterable[pa.RecordBatch]) -> int:
    """Load batches of the same columns into a table (database and name), and commit; the number of rows.

    A row whose key is there already replaces the older one, so that loading the same again changes nothing. On an error
    nothing of it stays. Raises pymysql.Error.
    """
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return 0
    # The client opens what the server names back to it as a file: the reading end of a pipe.
    reading, writing = os.pipe()
    failed: list[pymysql.Error] = []

    def send() -> None:
        try:
            connection.begin()  # so that rows which are not all of them can be taken back
            run(connection, _statement(table, first.schema, reading))
        except pymysql.Error as error:
            failed.append(error)
        except Exception as error:
            # The client goes on with the socket that it has closed, where the server ends while rows are sent to it.
            failed.append(pymysql.OperationalError(_CONNECTION_FAILED, f"the connection was lost ({error})"))
        finally:
            os.close(reading)

    sender = threading.Thread(target=send, name="load-data", daemon=True)
    sender.start()
    rows = 0
    try:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for batch in _chain(first, batches):
                _write(pipe.fileno(), as_text(batch))
                rows += batch.num_rows
    except BrokenPipeError:  # the sender has the reason
        pass
    except BaseException:
        sender.join()
        connection.rollback()
        raise
    sender.join()
    if failed:
        raise failed[0]
    connection.commit()
    return rows


def load_files(tasks: Tasks, settings: MysqlSettings, table: tuple[str, str], folder: Folder) -> int:
    """Load the Parquet files of a folder from Spark's executors, each file over a connection of its own; their rows.

    Raises pymysql.Error, of the first file that failed.
    """

    def load_file(name: str) -> Iterator[_Result]:
        try:
            connection = connect(settings)
            try:
                with folder.open_input(name) as file:
                    batches = pq.ParquetFile(file).iter_batches(_BATCH_ROWS, use_threads=False)
                    yield _Result(load(connection, table, batches))
            finally:
                connection.close()
        except pymysql.Error as error:
            yield _Result(0, number(error) or _CONNECTION_FAILED, str(error))

    results = tasks.run(load_file, [name for name in folder.names() if name.endswith(".parquet")])
    for result in results:
        if result.error:
            raise pymysql.OperationalError(result.error, result.message)
    return sum(result.rows for result in results)


def _statement(table: tuple[str, str], schema: pa.Schema, descriptor: int) -> str:
    binary = {field.name for field in schema if pa.types.is_binary(field.type)}
    columns = ", ".join(f"@{name}" if name in binary else quoted(name) for name in schema.names)
    decoded = ", ".join(f"{quoted(name)} = UNHEX(@{name})" for name in schema.names if name in binary)
    return (
        f"LOAD DATA LOCAL INFILE '/dev/fd/{descriptor}' REPLACE INTO TABLE {quoted(*table)} CHARACTER SET utf8mb4 "
        f"({columns})" + (f" SET {decoded}" if decoded else "")
    )


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
