"""Answers as rows of Python values, and their comparison."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.analytics import Question

TOLERANCE = 1e-9


def rows_of(question: Question, answer: pa.Table) -> list[tuple[Any, ...]]:
    """The answer in the question's own types. Fails where a column is missing or has a value that does not fit."""
    assert answer.column_names == question.schema.names
    columns = answer.cast(question.schema).to_pydict()
    return list(zip(*columns.values(), strict=True))


def read_rows(question: Question, file: Path) -> list[tuple[Any, ...]]:
    """The rows of an expected answer: CSV with a header, an empty field being NULL."""
    with file.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == question.schema.names
    columns = [
        pa.array([row[index] or None for row in rows], pa.string()).cast(column.type).to_pylist()
        for index, column in enumerate(question.schema)
    ]
    return list(zip(*columns, strict=True))


def assert_same(found: Sequence[tuple[Any, ...]], expected: Sequence[tuple[Any, ...]]) -> None:
    """Row by row in order; floats to nine places."""
    assert len(found) == len(expected), f"{len(found)} rows, expected {len(expected)}: {found[:3]} {expected[:3]}"
    for number, (row, wanted) in enumerate(zip(found, expected, strict=True), 1):
        assert all(map(_equal, row, wanted)), f"row {number}: {row}, expected {wanted}"


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, float) and isinstance(wanted, float):
        return math.isclose(value, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(value == wanted)
