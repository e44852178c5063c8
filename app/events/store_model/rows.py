"""Events as columns become CSV rows, without a loop over rows."""

from datetime import date, timedelta
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.events.store_model.catalogue import PRICES, Catalogue
from app.events.store_model.sessions import Columns

SECONDS_A_DAY: Final = 86_400
_KINDS: Final = (b"view", b"cart", b"purchase")
_HEX_PAIRS: Final = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint16)
# Where the 32 hexadecimal digits of a UUID stand in its 36 characters.
_UUID_PARTS: Final = ((0, 8, 0), (9, 13, 8), (14, 18, 12), (19, 23, 16), (24, 36, 20))


@cache
def _times_of_day() -> pa.BinaryArray:
    """`HH:MM:SS UTC,kind,` of second s and kind k, at s * 3 + k."""
    minutes = [b"%02d:%02d" % (hour, minute) for hour in range(24) for minute in range(60)]
    ends = [b":%02d UTC,%s," % (second, kind) for second in range(60) for kind in _KINDS]
    return pa.array([minute + end for minute in minutes for end in ends], pa.binary())


def uuid_text(bits: npt.NDArray[np.uint64], named: npt.NDArray[np.bool_]) -> pa.BinaryArray:
    """The text of each UUID given as (n, 2) halves; empty where not `named`."""
    count = len(bits)
    digits = _HEX_PAIRS[bits.astype(">u8").view(np.uint8)].view(np.uint8).reshape(count, 32)
    text = np.full((count, 36), ord("-"), dtype=np.uint8)
    for start, end, digit in _UUID_PARTS:
        text[:, start:end] = digits[:, digit : digit + end - start]
    offsets = np.zeros(count + 1, dtype=np.int32)
    np.cumsum(np.where(named, 36, 0), out=offsets[1:])
    kept = text if named.all() else text[named]
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(kept)])


class RowWriter:
    """Writes events as rows of the published format."""

    def __init__(self, catalogue: Catalogue, start: date, days: int, sale_days: frozenset[int], newline: bytes) -> None:
        """Take the products, the first day, the number of days, the days of sale and the end of line."""
        self._catalogue = catalogue
        self._dates = pa.array([f"{start + timedelta(days=d)} ".encode() for d in range(days)], pa.binary())
        self._is_sale = np.array([day in sale_days for day in range(days)])
        self._newline = newline

    def rows(self, events: Columns) -> pa.BinaryArray:
        """One row an event, in the same order, each with its end of line."""
        day, second = np.divmod(events.time, SECONDS_A_DAY)
        price = np.where(self._is_sale[day], 2, day >= self._catalogue.price_change_day[events.product])
        users = pc.cast(pc.cast(pa.array(events.user_id), pa.string()), pa.binary())
        return pc.binary_join_element_wise(
            self._dates.take(pa.array(day)),
            _times_of_day().take(pa.array(second * len(_KINDS) + events.kind)),
            self._catalogue.rows.take(pa.array(events.product * PRICES + price)),
            users,
            b",",
            uuid_text(events.session, events.named),
            self._newline,
            b"",
        )
