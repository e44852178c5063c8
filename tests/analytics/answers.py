"""Answers as rows of Python values, and their comparison."""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from app.analytics import QUESTIONS, Question
from app.analytics.parity import same_value
from app.analytics.sql import Dialect, compile_question
from tests.analytics.engines import Engine


def ask(name: str, engine: Engine, events: str = "events") -> list[tuple[Any, ...]]:
    """Ask a question of an engine that holds the events; no fact is stored."""
    return rows_of(QUESTIONS[name], engine.query(_sql(name, engine.dialect, f"{engine.path}{events}")))


@cache
def _sql(name: str, dialect: Dialect, events: str) -> str:
    return compile_question(name, dialect, events=events)


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
        assert all(map(same_value, row, wanted)), f"row {number}: {row}, expected {wanted}"
