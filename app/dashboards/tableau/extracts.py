"""Extracts: the answers as `.hyper` files, which Tableau reads in place of the warehouse."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
from tableauhyperapi import (
    Connection,
    CreateMode,
    HyperException,
    HyperProcess,
    SqlType,
    TableDefinition,
    TableName,
    Telemetry,
    escape_string_literal,
)

from app.dashboards.tableau.errors import ExtractError
from app.dashboards.tableau.hyper_file import make_stable

TABLE: Final = TableName("Extract", "Extract")
"""The name that Tableau gives to the only table of an extract."""

_DIGITS: Final = 18
"""The most digits of a decimal that every Tableau reads; a store's revenue of 10^16 would not fit."""

_ONE_THREAD: Final = {"hard_concurrent_query_thread_limit": "1", "log_config": ""}
"""Several threads would write the blocks of a big table in another order each time. Hyper writes no log file."""

_log = logging.getLogger(__name__)


def write_extracts(answers: Mapping[str, pa.Table], folder: Path) -> dict[str, Path]:
    """Write `QUESTION.hyper` for each answer into a folder that exists, and give the files by question.

    The rows keep their order; equal answers give equal files. Raises ExtractError.
    """
    files = {name: folder / f"{name}.hyper" for name in answers}
    try:
        with HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=_ONE_THREAD) as hyper:
            for name, answer in answers.items():
                with Connection(hyper.endpoint, files[name], CreateMode.CREATE_AND_REPLACE) as connection:
                    _load(connection, name, answer)
    except HyperException as error:
        raise ExtractError(f"Hyper could not write the extracts: {error}") from error
    unstable = [name for name, file in files.items() if not make_stable(file)]
    if unstable:
        _log.warning("this version of Hyper writes files of another form, so that builds differ: %s", unstable)
    return files


def _load(connection: Connection, name: str, answer: pa.Table) -> None:
    table = _conform(name, answer)
    columns = [TableDefinition.Column(field.name, _sql_type(field.type)) for field in table.schema]
    connection.catalog.create_schema(TABLE.schema_name)
    connection.catalog.create_table(TableDefinition(TABLE, columns))
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "answer.arrows"
        with pa.OSFile(str(stream), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        path = escape_string_literal(str(stream))
        loaded = connection.execute_command(f"COPY {TABLE} FROM {path} WITH (FORMAT arrowstream)")
    if loaded != len(table):
        raise ExtractError(f"{name}: Hyper loaded {loaded} of {len(table)} rows; build again")


def _conform(name: str, answer: pa.Table) -> pa.Table:
    """Give the answer in types that an extract has. Times lose their zone, which is UTC everywhere."""
    fields = [pa.field(field.name, _stored_type(field.type)) for field in answer.schema]
    try:
        return answer.replace_schema_metadata(None).cast(pa.schema(fields))
    except pa.ArrowInvalid as error:
        raise ExtractError(
            f"{name}: an extract holds decimals of {_DIGITS} digits at most ({error}); round them in the question"
        ) from error


def _stored_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(type_):
        return pa.decimal128(_DIGITS, type_.scale)
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us")
    if pa.types.is_integer(type_):
        return pa.int64()
    return type_


def _sql_type(type_: pa.DataType) -> SqlType:
    if pa.types.is_decimal(type_):
        return SqlType.numeric(type_.precision, type_.scale)
    types = {
        pa.int64(): SqlType.big_int,
        pa.float64(): SqlType.double,
        pa.string(): SqlType.text,
        pa.date32(): SqlType.date,
        pa.timestamp("us"): SqlType.timestamp,
        pa.bool_(): SqlType.bool,
    }
    if type_ not in types:
        raise ExtractError(
            f"an extract has no type for {type_}; say in app.dashboards.tableau.extracts what it is to be"
        )
    return types[type_]()
