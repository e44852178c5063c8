"""What a question says of itself."""

from types import ModuleType

import pyarrow as pa
import pytest

from app.analytics import QUESTIONS, Question
from app.analytics.question import QuestionError, question
from tests.analytics.answers import ask
from tests.analytics.engines import DuckDb
from tests.analytics.reference import ANSWERS

DOCSTRING = """Sales

How many are sold?

Asked by: the shop.

Columns:
- sold [events]: how
  many
- day: which day
"""


def test_every_question_is_answered_by_the_independent_calculation_too() -> None:
    assert list(ANSWERS) == list(QUESTIONS)


@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=lambda asked: asked.name)
def test_a_question_says_all_in_words(asked: Question) -> None:
    assert asked.title
    assert "?" in asked.description
    assert asked.asked_by
    numbers = [
        column for column in asked.columns if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    ]
    assert all(column.unit for column in numbers), "a number without a unit"
    assert all(field.metadata[b"description"] for field in asked.schema)


@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=lambda asked: asked.name)
def test_money_is_decimal_with_two_places(asked: Question) -> None:
    sums = [column for column in asked.columns if column.unit == "store currency" and "mean" not in column.description]
    assert all(column.type == pa.decimal128(38, 2) for column in sums)


def test_the_order_of_an_answer_leaves_no_ties(many_events: pa.Table, duckdb_engine: DuckDb) -> None:
    duckdb_engine.load("events", many_events)
    for asked in QUESTIONS.values():
        rows = ask(asked.name, duckdb_engine)
        keys = [asked.schema.names.index(name) for name, _ in asked.order_by]
        assert len({tuple(row[key] for key in keys) for row in rows}) == len(rows), asked.name


def _module(docstring: str) -> ModuleType:
    module = ModuleType("app.analytics.questions.sales", docstring)
    module.answer = lambda events: events.select(sold=events.product_id)  # type: ignore[attr-defined]
    return module


def test_words_are_read_from_the_docstring() -> None:
    read = question(_module(DOCSTRING))
    assert (read.name, read.title, read.description, read.asked_by) == (
        "sales",
        "Sales",
        "How many are sold?",
        "the shop",
    )
    assert read.documented == (("sold", "events", "how many"), ("day", None, "which day"))


@pytest.mark.parametrize(
    "docstring", ["", "Sales", DOCSTRING.replace("Asked by", "For"), DOCSTRING.replace("- day: ", "- ")]
)
def test_a_docstring_of_another_form_is_an_error(docstring: str) -> None:
    with pytest.raises(QuestionError, match="sales"):
        question(_module(docstring))


def test_columns_that_are_not_the_answers_are_an_error() -> None:
    with pytest.raises(QuestionError, match="the docstring's columns are not those of the answer"):
        _ = question(_module(DOCSTRING)).schema


def test_an_answer_that_is_not_sorted_is_an_error() -> None:
    with pytest.raises(QuestionError, match="not sorted"):
        _ = question(_module(DOCSTRING)).order_by
