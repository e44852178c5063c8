"""Layout of an event file: the order of its columns and its delimiter, as its header names them.

Rows of another layout than the canonical one are put into canonical order before they are read, so that an event is
the same whatever file it stands in. A file without a header is canonical.
"""

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Final

from app.events.bad_events import Reason
from app.events.csv_row import BadRowError, split_row
from app.events.identity import csv_field
from app.events.schema import MAX_ROW_BYTES, RAW_COLUMNS

MAX_HEADER_BYTES: Final = MAX_ROW_BYTES
DELIMITERS: Final = (",", ";", "\t", "|")
_TEXT_COLUMNS: Final = 3
"""Columns of a row that hold any text, and so perhaps the name of a column."""
_LAYOUTS: Final = 64
_MAX_TEXT: Final = 1024
"""An attribute of a Pub/Sub message has no more."""


class HeaderError(ValueError):
    """A header does not name each column of an event once; the message says which."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a file in their order, each by its name in `RAW_COLUMNS` or empty where it is ignored."""

    columns: tuple[str, ...]
    delimiter: str = ","

    @property
    def text(self) -> str:
        """The layout as one line of text, which `of_text` reads; it is a header too."""
        return self.delimiter.join(self.columns)

    @classmethod
    def of_text(cls, text: str) -> "Layout | None":
        """The layout that `text` was made from; None for another text."""
        try:
            return read_header(text.encode())
        except HeaderError:
            return None

    def canonical_row(self, row: bytes) -> bytes:
        """A row of the layout, without end of line, as a row of the canonical layout.

        Raises:
            BadRowError: it has not as many columns as the layout, or its columns cannot be told apart.
        """
        if len(row) > MAX_ROW_BYTES:
            raise BadRowError(Reason.ROW_TOO_LONG)
        delimiter = self.delimiter.encode()
        if b'"' in row or (delimiter != b"," and b"," in row):
            values = split_row(row, len(self.columns), self.delimiter)
            return ",".join(map(csv_field, _pick(self.columns)(values))).encode()
        fields = row.split(delimiter)
        if len(fields) != len(self.columns):
            raise BadRowError(Reason.MISSING_COLUMNS if len(fields) < len(self.columns) else Reason.EXTRA_COLUMNS)
        return b",".join(_pick(self.columns)(fields))


CANONICAL: Final = Layout(RAW_COLUMNS)


@lru_cache(_LAYOUTS)
def read_header(line: bytes) -> Layout | None:
    """The layout that a line names, without its end; None where it is no header.

    Names may be in capitals, quoted and between spaces; other columns than those of an event are ignored.

    Raises:
        HeaderError: it is a header, but lacks a column of an event or names one twice.
    """
    if len(line) > MAX_HEADER_BYTES or b"\r" in line:
        return None
    text = line.decode(errors="replace")
    delimiter = max(DELIMITERS, key=text.count)
    names = [name.strip().lower() for name in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])]
    known = [name for name in names if name in RAW_COLUMNS]
    if len(set(known)) <= _TEXT_COLUMNS:
        return None
    if missing := [name for name in RAW_COLUMNS if name not in known]:
        raise HeaderError(f"its header names no column {', '.join(missing)}")
    if len(known) > len(RAW_COLUMNS):
        twice = sorted({name for name in known if known.count(name) > 1})
        raise HeaderError(f"its header names the column {', '.join(twice)} more than once")
    layout = Layout(tuple(name if name in RAW_COLUMNS else "" for name in names), delimiter)
    if len(layout.text) > _MAX_TEXT:
        raise HeaderError(f"its header has {len(names):,} columns, too many for a message")
    return CANONICAL if layout == CANONICAL else layout


@cache
def _pick(columns: tuple[str, ...]) -> Any:
    """Takes the values of the canonical columns, in their order, out of those of a row."""
    return itemgetter(*map(columns.index, RAW_COLUMNS))
