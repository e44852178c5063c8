"""Parity: whether two engines gave the same answer to a question.

Rows are compared in order, value by value. Only floating point values may differ, in their last digits, since engines
add them up in different orders.
"""

import math
from typing import Any, Final

import pyarrow as pa

from app.analytics.question import Question

TOLERANCE: Final = 1e-9


def conform(question: Question, answer: pa.Table) -> pa.Table:
    """An answer as an engine gave it, in the question's own column types and order.

    Raises:
        pyarrow.ArrowInvalid, KeyError: the answer does not have the question's columns.
    """
    schema = question.schema
    return pa.table([answer.column(field.name).cast(field.type) for field in schema], schema=schema)


def differences(one: pa.Table, other: pa.Table) -> list[str]:
    """How two answers of the same columns differ, in words; empty where they are the same."""
    found = [] if len(one) == len(other) else [f"{len(one):,} rows and {len(other):,} rows"]
    for name in one.column_names:
        pairs = zip(one.column(name).to_pylist(), other.column(name).to_pylist(), strict=False)
        row = next((i for i, (left, right) in enumerate(pairs) if not same_value(left, right)), None)
        if row is not None:
            found.append(f"{name} in row {row + 1}: {one.column(name)[row]} and {other.column(name)[row]}")
    return found


def same_value(left: Any, right: Any) -> bool:
    """Whether two values are equal, floating point values to their last digits."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(left == right)
