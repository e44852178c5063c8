"""One row of an event file, read by the rules alone.

This is the reference of what a good and a bad row is. It reads a row at a time and serves the rows that the
columnar reader of `app.events.csv_columns` does not recognise as canonical: quoted fields, unusual numbers, bad rows.
"""

import csv
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from app.events.bad_events import Reason
from app.events.schema import EVENT_TYPES, MAX_ROW_BYTES, RAW_COLUMNS

_FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'
_WELL_QUOTED = re.compile(rf"{_FIELD}(?:,{_FIELD})*")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))? UTC", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_PRICE = re.compile(r"-?(\d{1,10})(?:\.\d{1,2}0*)?", re.ASCII)
_INT64 = range(-(2**63), 2**63)


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


def read_row(raw: bytes) -> Row:
    """Read one row, given without its end of line.

    Raises:
        BadRowError: the row breaks a rule; where it breaks several, the first in the order of `Reason`.
    """
    fields = _split(raw)
    values = dict(zip(RAW_COLUMNS, fields, strict=True))
    event_time = _time(values["event_time"])
    if values["event_type"] not in EVENT_TYPES:
        raise BadRowError(Reason.UNKNOWN_EVENT_TYPE, "event_type")
    product_id, category_id, user_id = (
        _integer(name, values[name]) for name in ("product_id", "category_id", "user_id")
    )
    return Row(
        event_time=event_time,
        event_type=values["event_type"],
        product_id=product_id,
        category_id=category_id,
        category_code=values["category_code"] or None,
        brand=values["brand"] or None,
        price=_price(values["price"]),
        user_id=user_id,
        user_session=values["user_session"] or None,
    )


def _split(raw: bytes) -> list[str]:
    if len(raw) > MAX_ROW_BYTES:
        raise BadRowError(Reason.ROW_TOO_LONG)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadRowError(Reason.INVALID_UTF8) from error
    if "\r" in text:
        raise BadRowError(Reason.LINE_BREAK_IN_ROW)
    if '"' not in text:
        fields = text.split(",")
    elif _WELL_QUOTED.fullmatch(text):
        fields = next(csv.reader([text], strict=True))
    else:
        raise BadRowError(Reason.INVALID_QUOTING)
    if len(fields) < len(RAW_COLUMNS):
        raise BadRowError(Reason.MISSING_COLUMNS)
    if len(fields) > len(RAW_COLUMNS):
        raise BadRowError(Reason.EXTRA_COLUMNS)
    return fields


def _time(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    if match:
        try:
            time = datetime.fromisoformat(match[1])
        except ValueError:
            pass
        else:
            return time.replace(microsecond=int((match[2] or "0").ljust(6, "0")), tzinfo=UTC)
    raise BadRowError(Reason.INVALID_TIME, "event_time")


def _integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or int(text) not in _INT64:
        raise BadRowError(Reason.INVALID_ID, name)
    return int(text)


def _price(text: str) -> Decimal:
    if not _PRICE.fullmatch(text):
        raise BadRowError(Reason.INVALID_PRICE, "price")
    price = Decimal(text)
    if price < 0:
        raise BadRowError(Reason.NEGATIVE_PRICE, "price")
    return abs(price)
