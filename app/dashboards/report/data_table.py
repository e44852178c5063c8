"""An answer as a table of text: what stands below each picture, and in place of one that is not drawn."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.wording import heading

ROWS_SHOWN: Final = 50

_SHARES: Final = ("share", "rate", "retention", "support", "confidence")
"""A column whose last word is one of these holds a share of 0 to 1."""

_PLAIN_NUMBERS: Final = ("id", "a", "b", "hour", "rank", "score", "later")
"""A column whose last word is one of these holds numbers that are names, or too small to be grouped."""


@dataclass(frozen=True)
class Column:
    """A column's heading, and whether it is set flush right."""

    heading: str
    numeric: bool


@dataclass(frozen=True)
class DataTable:
    """The first rows of an answer as text; `rows_in_all` says how many there are."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    rows_in_all: int


def data_table(answer: pa.Table) -> DataTable:
    """Return the first 50 rows as text."""
    columns = tuple(Column(heading(field.name), _is_number(field.type)) for field in answer.schema)
    names = answer.column_names
    rows = tuple(
        tuple(_text(name, value) for name, value in zip(names, row.values(), strict=True))
        for row in answer.slice(0, ROWS_SHOWN).to_pylist()
    )
    return DataTable(columns=columns, rows=rows, rows_in_all=answer.num_rows)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _text(column: str, value: Any) -> str:
    last_word = column.rsplit("_", 1)[-1]
    if value is None:
        return formats.NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal) and last_word in _SHARES:
        return formats.percent(value)
    if isinstance(value, int):
        return str(value) if last_word in _PLAIN_NUMBERS else formats.count(value)
    if isinstance(value, float | Decimal):
        return formats.decimal(value, 2)
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)
