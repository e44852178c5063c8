"""One row of an event file, read by the rules alone.

This is the reference of what a good and a bad row is. It reads a row at a time and serves the rows that the
columnar reader of `app.events.csv_columns` does not recognise as canonical: quoted fields, the spellings of pandas,
Spark and spreadsheets, bad rows.
"""

import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final, NamedTuple

from app.events.bad_events import Reason
from app.events.schema import EVENT_TYPES, MAX_ROW_BYTES, RAW_COLUMNS
from app.events.time_bounds import ANY_TIME, TimeBounds
from app.events.times import read_time

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INTEGER: Final = re.compile(r"(-?\d{1,19})(\.0+)?", re.ASCII)
_IMPRECISE: Final = re.compile(r"-?\d+(\.\d*)?[eE][+-]?\d+", re.ASCII)
_INT64: Final = range(-(2**63), 2**63)
_EXACT_FLOATS: Final = range(-(2**53), 2**53 + 1)
_PRICE: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_CENT: Final = Decimal("0.01")
_PRICE_LIMIT: Final = Decimal(10**10)


class Row(NamedTuple):
    """The fields of a good row, in the order of `RAW_COLUMNS`; a missing value is None."""

    event_time: datetime
    event_type: str
    product_id: int
    category_id: int
    category_code: str | None
    brand: str | None
    price: Decimal
    user_id: int
    user_session: str | None


class BadRowError(ValueError):
    """A row is no event: the reason, and the first column at fault or None for the row as a whole."""

    def __init__(self, reason: Reason, field: str | None = None) -> None:
        super().__init__(f"{reason.value} in {field}" if field else reason.value)
        self.reason = reason
        self.field = field


def read_row(raw: bytes, bounds: TimeBounds = ANY_TIME) -> Row:
    """Read one row, given without its end of line.

    Raises:
        BadRowError: the row breaks a rule; where it breaks several, the first in the order of `Reason`.
    """
    fields = split_row(raw, len(RAW_COLUMNS))
    values = dict(zip(RAW_COLUMNS, fields, strict=True))
    event_time = _time(values["event_time"], bounds)
    event_type = values["event_type"].strip(" ").lower()
    if event_type not in EVENT_TYPES:
        raise BadRowError(Reason.UNKNOWN_EVENT_TYPE, "event_type")
    product_id, category_id, user_id = _integers(values, ("product_id", "category_id", "user_id"))
    return Row(
        event_time=event_time,
        event_type=event_type,
        product_id=product_id,
        category_id=category_id,
        category_code=values["category_code"] or None,
        brand=values["brand"] or None,
        price=_price(values["price"]),
        user_id=user_id,
        user_session=values["user_session"] or None,
    )


def split_row(raw: bytes, columns: int, delimiter: str = ",") -> list[str]:
    """The fields of a row that is to have so many columns, without their quotes.

    Raises:
        BadRowError: it is too long, no UTF-8, not well quoted, or has another number of columns.
    """
    if len(raw) > MAX_ROW_BYTES:
        raise BadRowError(Reason.ROW_TOO_LONG)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRowError(Reason.INVALID_UTF8) from error
    if "\r" in text:
        raise BadRowError(Reason.LINE_BREAK_IN_ROW)
    if '"' not in text:
        fields = text.split(delimiter)
    elif _well_quoted(delimiter).fullmatch(text):
        fields = next(csv.reader([text], delimiter=delimiter, strict=True))
    else:
        raise BadRowError(Reason.INVALID_QUOTING)
    if len(fields) < columns:
        raise BadRowError(Reason.MISSING_COLUMNS)
    if len(fields) > columns:
        raise BadRowError(Reason.EXTRA_COLUMNS)
    return fields


@cache
def _well_quoted(delimiter: str) -> re.Pattern[str]:
    field = rf'(?:"(?:[^"]|"")*"|[^"{delimiter}]*)'
    return re.compile(rf"{field}(?:[{delimiter}]{field})*")


def _time(text: str, bounds: TimeBounds) -> datetime:
    time = read_time(text.strip(" "))
    if time is None:
        raise BadRowError(Reason.INVALID_TIME, "event_time")
    if not bounds.admit((time - _EPOCH) // _MICROSECOND):
        raise BadRowError(Reason.IMPLAUSIBLE_TIME, "event_time")
    return time


def _integers(values: dict[str, str], names: tuple[str, ...]) -> list[int]:
    """The ids of these names. One that pandas took for floating point, 520088904.0, is exact below 2**53."""
    texts = {name: values[name].strip(" ") for name in names}
    matches = {name: _INTEGER.fullmatch(text) for name, text in texts.items()}
    for name, match in matches.items():
        if _IMPRECISE.fullmatch(texts[name]) or (match and match[2] and int(match[1]) not in _EXACT_FLOATS):
            raise BadRowError(Reason.IMPRECISE_ID, name)
    found: list[int] = []
    for name, match in matches.items():
        if not match or int(match[1]) not in _INT64:
            raise BadRowError(Reason.INVALID_ID, name)
        found.append(int(match[1]))
    return found


def _price(text: str) -> Decimal:
    """A price, rounded half up to hundredths: floating point writes 1.155 as 1.1550000000000002."""
    if not _PRICE.fullmatch(text.strip(" ")):
        raise BadRowError(Reason.INVALID_PRICE, "price")
    price = Decimal(text.strip(" "))
    if abs(price) >= _PRICE_LIMIT:
        raise BadRowError(Reason.INVALID_PRICE, "price")
    price = price.quantize(_CENT, ROUND_HALF_UP)
    if price < 0:
        raise BadRowError(Reason.NEGATIVE_PRICE, "price")
    if price >= _PRICE_LIMIT:
        raise BadRowError(Reason.INVALID_PRICE, "price")
    return abs(price)
