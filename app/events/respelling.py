"""Rows of the spellings that pandas and Spark use, rewritten to the canonical one for the columnar reader.

It only saves time: what it rewrites means the same by the rules of `app.events.csv_row`, and what it leaves is read by
them.
"""

import re
from typing import Final

from app.events.schema import RAW_COLUMNS

_TIME, _TYPE, _PRICE = map(RAW_COLUMNS.index, ("event_time", "event_type", "price"))
_IDS: Final = tuple(map(RAW_COLUMNS.index, ("product_id", "category_id", "user_id")))
_UTC_TIME: Final = re.compile(rb"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.0{1,9})?(?: ?(?:UTC|Z|\+00:?00))?")
_SHORT_PRICE: Final = re.compile(rb"(\d{1,10})(?:\.(\d{1,2}))?")
_FLOAT_ID: Final = re.compile(rb"(\d{1,15})\.0")


def respelled(row: bytes) -> bytes | None:
    """The row in canonical spelling, perhaps; None where it cannot be rewritten. It has no quote."""
    fields = row.split(b",")
    if len(fields) != len(RAW_COLUMNS):
        return None
    time, price = _UTC_TIME.fullmatch(fields[_TIME]), _SHORT_PRICE.fullmatch(fields[_PRICE])
    if not time or not price:
        return None
    fields[_TIME] = time[1] + b" " + time[2] + b" UTC"
    fields[_TYPE] = fields[_TYPE].lower()
    fields[_PRICE] = price[1] + b"." + (price[2] or b"").ljust(2, b"0")
    for place in _IDS:
        if match := _FLOAT_ID.fullmatch(fields[place]):
            fields[place] = match[1]
    return b",".join(fields)
