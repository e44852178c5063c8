"""Rows that are no events, each with exactly one fault, as broken clients and cut files make them.

A bad row is made of a good one. It names a product that the store does not have, with a running number, so
that no two bad rows are equal.
"""

from collections import Counter
from typing import Final, assert_never

import numpy as np

from app.events.bad_events import Reason
from app.events.schema import MAX_ROW_BYTES

_TIME, _TYPE, _PRODUCT, _CATEGORY, _CODE, _BRAND, _PRICE, _USER, _SESSION = range(9)
_FIRST_PRODUCT: Final = 900_000_000
REASONS: Final = tuple(reason for reason in Reason if reason is not Reason.IMPLAUSIBLE_TIME)
"""All but what depends on the bounds in the settings."""
_USUAL: Final = tuple(reason for reason in REASONS if reason is not Reason.ROW_TOO_LONG)
_TOO_LONG_EVERY: Final = 5_000

_TIMES: Final = (
    b"", b"yesterday", b"2019-13-01 00:00:00 UTC", b"2019-10-32 12:00:00 UTC", b"2019-10-01 25:61:00 UTC",
    b"0000-00-00 00:00:00 UTC",
)  # fmt: skip
_TYPES: Final = (b"", b"add_to_wishlist", b"click", b"impression", b"share")
_IDS: Final = (b"", b"unknown", b"12-34", b"0x1F", b"n/a")
_IMPRECISE: Final = (b"2.05301355563e+18", b"2.05301E+18", b"5.4E8")
_BAD_PRICES: Final = (b"", b"free", b"N/A", b"$12.50", b"1.2.3")
_NEGATIVE: Final = (b"-0.01", b"-5.00", b"-129.90")
_NOT_UTF8: Final = (b"caf\xe9", b"\xff\xfe", b"\xc3\x28", b"samsung\x80")


class BadRows:
    """Makes bad rows and counts them by reason."""

    def __init__(self) -> None:
        """Start counting at none."""
        self.count: Counter[Reason] = Counter()

    def make(self, row: bytes, rng: np.random.Generator) -> bytes:
        """A bad row after a good one; both without an end of line. The first ones have every reason once."""
        serial = self.count.total()
        if serial < len(REASONS):
            reason = REASONS[serial]
        elif serial % _TOO_LONG_EVERY == 0:
            reason = Reason.ROW_TOO_LONG
        else:
            reason = _USUAL[int(rng.integers(len(_USUAL)))]
        self.count[reason] += 1
        fields = row.split(b",")
        fields[_PRODUCT] = b"%d" % (_FIRST_PRODUCT + serial)
        return _spoil(fields, reason, int(rng.integers(1 << 30)))


def _spoil(fields: list[bytes], reason: Reason, pick: int) -> bytes:
    """The fields with the fault that `reason` names; `pick` chooses among its kinds."""

    def one_of(kinds: tuple[bytes, ...]) -> bytes:
        return kinds[pick % len(kinds)]

    match reason:
        case Reason.ROW_TOO_LONG:
            fields[_BRAND] = b"x" * (MAX_ROW_BYTES + pick % 4_096)
        case Reason.INVALID_UTF8:
            fields[_BRAND] = one_of(_NOT_UTF8)
        case Reason.LINE_BREAK_IN_ROW:
            fields[_BRAND] += b"\rno name"
        case Reason.INVALID_QUOTING:
            fields[_BRAND] = b'"' + (fields[_BRAND] or b"no name")
        case Reason.MISSING_COLUMNS:
            # A row cut short, or one that lacks a column in the middle.
            fields = fields[: 3 + pick % 6] if pick % 4 else fields[:_CODE] + fields[_BRAND:]
        case Reason.EXTRA_COLUMNS:
            fields.insert(_BRAND if pick % 2 else len(fields), b"extra")
        case Reason.INVALID_TIME | Reason.IMPLAUSIBLE_TIME:
            fields[_TIME] = one_of(_TIMES)
        case Reason.UNKNOWN_EVENT_TYPE:
            fields[_TYPE] = one_of(_TYPES)
        case Reason.IMPRECISE_ID:
            fields[_USER if pick % 2 else _CATEGORY] = one_of(_IMPRECISE)
        case Reason.INVALID_ID:
            fields[_USER if pick % 2 else _CATEGORY] = one_of(_IDS)
        case Reason.INVALID_PRICE:
            fields[_PRICE] = one_of(_BAD_PRICES)
        case Reason.NEGATIVE_PRICE:
            fields[_PRICE] = one_of(_NEGATIVE)
        case _:
            assert_never(reason)
    return b",".join(fields)
