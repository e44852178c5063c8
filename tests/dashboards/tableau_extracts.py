"""Reads extracts by Hyper, as Tableau does."""

import datetime as dt
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tableauhyperapi import Connection, Date, HyperProcess, Telemetry, Timestamp

Row = list[Any]


@contextmanager
def hyper() -> Iterator[HyperProcess]:
    with HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters={"log_config": ""}) as process:
        yield process


def rows(process: HyperProcess, file: Path) -> list[Row]:
    """All rows in the order in which they are stored."""
    with Connection(process.endpoint, file) as connection:
        found = connection.execute_list_query('SELECT * FROM "Extract"."Extract"')
    return [[_plain(value) for value in row] for row in found]


def unpack(package: Path, folder: Path) -> dict[str, Path]:
    """The extracts of a packaged workbook by question."""
    with zipfile.ZipFile(package) as opened:
        opened.extractall(folder)
    return {file.stem: file for file in (folder / "Data" / "Extracts").glob("*.hyper")}


def _plain(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.to_datetime().replace(tzinfo=dt.UTC)
    return value.to_date() if isinstance(value, Date) else value
