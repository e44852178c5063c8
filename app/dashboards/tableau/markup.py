"""XML as Tableau writes it: attributes sorted and in single quotes, two spaces of indent, an empty element closed.

Python's own writers quote attributes otherwise, so that a workbook saved in Tableau would differ in every line from the
one that was generated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_INDENT: Final = "  "
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
)
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MarkupError(ValueError):
    """A text holds characters that XML cannot hold."""


@dataclass(frozen=True)
class Element:
    """An XML element with children or with text."""

    tag: str
    attributes: Mapping[str, str]
    children: tuple["Element", ...] = ()
    text: str | None = None


def element(
    tag: str,
    attributes: Mapping[str, str | int | None] | None = None,
    children: Iterable[Element] = (),
    text: str | None = None,
) -> Element:
    """Make an element; an attribute of None is left out."""
    given = {name: str(value) for name, value in (attributes or {}).items() if value is not None}
    return Element(tag, given, tuple(children), text)


def render(root: Element) -> bytes:
    """Give a document in UTF-8. Raises MarkupError for a character that XML does not have."""
    return "\n".join(("<?xml version='1.0' encoding='utf-8' ?>", "", *_lines(root, ""), "")).encode()


def is_xml_text(text: str) -> bool:
    """Whether XML can hold the text: no control characters, no half of a surrogate pair."""
    return _NOT_XML.search(text) is None


def _lines(node: Element, indent: str) -> Iterator[str]:
    attributes = "".join(f" {name}='{_escape(value)}'" for name, value in sorted(node.attributes.items()))
    opening = f"{indent}<{node.tag}{attributes}"
    if node.children:
        yield f"{opening}>"
        for child in node.children:
            yield from _lines(child, indent + _INDENT)
        yield f"{indent}</{node.tag}>"
    elif node.text:
        yield f"{opening}>{_escape(node.text)}</{node.tag}>"
    else:
        yield f"{opening} />"


def _escape(text: str) -> str:
    if not is_xml_text(text):
        raise MarkupError(f"XML cannot hold {text!r}; remove its control characters")
    return text.translate(_ESCAPES)
