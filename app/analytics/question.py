"""What a question is: its words come from its module's docstring, its types from its expression.

A question's module has a docstring of this form, and a function `answer`:

    Title

    The question in business words, with all rules that the answer follows.

    Asked by: who needs the answer.

    Columns:
    - name: what it means
    - name [unit]: what it means
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Final, cast

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from app.events.schema import EVENTS

_DOCSTRING: Final = re.compile(
    r"(?P<title>[^\n]+)\n\n(?P<description>.+?)\n\nAsked by: (?P<asked_by>.+?)\n\nColumns:\n(?P<columns>.+)", re.DOTALL
)
_COLUMN: Final = re.compile(r"(?P<name>\w+)(?: \[(?P<unit>[^\]]+)\])?: (?P<description>.+)", re.DOTALL)


class QuestionError(ValueError):
    """A question's docstring is not in the form that `app.analytics.question` describes, or not true."""


@dataclass(frozen=True)
class Column:
    """A column of an answer; `unit` is None where it has none (a name, a date)."""

    name: str
    type: pa.DataType
    description: str
    unit: str | None


@dataclass(frozen=True)
class Question:
    """A business question. `answer` takes the events (columns of EVENTS) and gives the answer, sorted."""

    name: str
    title: str
    description: str
    asked_by: str
    answer: Callable[[ir.Table], ir.Table]
    documented: tuple[tuple[str, str | None, str], ...]
    """Name, unit and description of each column."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The answer's Arrow schema; each field's metadata has its description and unit."""
        return pa.schema(
            [
                pa.field(column.name, column.type, metadata=_metadata(column.description, column.unit))
                for column in self.columns
            ]
        )

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The answer's columns in order."""
        types = self._expression.schema().to_pyarrow()
        if list(types.names) != [name for name, _, _ in self.documented]:
            raise QuestionError(f"{self.name}: the docstring's columns are not those of the answer: {types.names}")
        return tuple(
            Column(name, types.field(name).type, description, unit) for name, unit, description in self.documented
        )

    @cached_property
    def order_by(self) -> tuple[tuple[str, bool], ...]:
        """The columns that the answer is sorted by, each with True for ascending; together they are unique."""
        sort = self._expression.op()
        if not isinstance(sort, ops.Sort):
            raise QuestionError(f"{self.name}: the answer is not sorted")
        keys = cast("tuple[Any, ...]", sort.keys)
        return tuple((key.arg.name, key.ascending) for key in keys)

    @cached_property
    def _expression(self) -> ir.Table:
        return self.answer(ibis.table(ibis.Schema.from_pyarrow(EVENTS), name="events"))


def question(module: ModuleType) -> Question:
    """Read a question from its module. Raises QuestionError where its docstring has not the form."""
    name = module.__name__.rpartition(".")[2]
    text = _DOCSTRING.fullmatch((module.__doc__ or "").strip())
    if text is None:
        raise QuestionError(f"{name}: the docstring has not the form that app.analytics.question describes")
    return Question(
        name=name,
        title=text["title"],
        description=_one_line(text["description"]),
        asked_by=_one_line(text["asked_by"]).rstrip("."),
        answer=module.answer,
        documented=tuple(_column(name, item) for item in text["columns"].removeprefix("- ").split("\n- ")),
    )


def _column(question_name: str, item: str) -> tuple[str, str | None, str]:
    match = _COLUMN.fullmatch(item.strip())
    if match is None:
        raise QuestionError(f"{question_name}: not a column: {item!r}; write `- name [unit]: what it means`")
    return match["name"], match["unit"], _one_line(match["description"])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _metadata(description: str, unit: str | None) -> dict[str, str]:
    return {"description": description} | ({"unit": unit} if unit else {})
