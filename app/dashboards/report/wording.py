"""The words around a picture, taken from the question's own definition, so that they are written once."""

import re
from dataclasses import dataclass
from typing import Final

from app.analytics import QUESTIONS
from app.dashboards.report import formats

_QUESTION: Final = re.compile(r"(?P<question>[^?]+\?)\s*(?P<rules>.*)", re.DOTALL)
_CODE: Final = re.compile(r"`([^`]*)`")


@dataclass(frozen=True)
class Wording:
    """What to call a question, how it is asked, by what rules it is answered, who asks, what its columns mean."""

    title: str
    question: str = ""
    rules: str = ""
    asked_by: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    """Heading and meaning, the unit in brackets, of each column."""


def wording(name: str) -> Wording:
    """Return the words of a question; of one that is not registered (an older answer), its name as title."""
    question = QUESTIONS.get(name)
    if question is None:
        return Wording(title=formats.sentence(formats.words(name)))
    parts = _QUESTION.fullmatch(question.description)
    columns = tuple(
        (heading(column), _plain(description) + (f" ({unit})" if unit else ""))
        for column, unit, description in question.documented
    )
    return Wording(
        title=question.title,
        question=_plain(parts["question"]) if parts else "",
        rules=_plain(parts["rules"] if parts else question.description),
        asked_by=question.asked_by,
        columns=columns,
    )


def heading(column: str) -> str:
    """Return a column's name as the heading of a table."""
    return formats.sentence(formats.words(column))


def _plain(text: str) -> str:
    """Return the text with `code` in quotation marks."""
    return _CODE.sub("\N{LEFT DOUBLE QUOTATION MARK}\\1\N{RIGHT DOUBLE QUOTATION MARK}", text)
