"""Money between Arrow's decimals and whole hundredths, without a loop: a decimal128 is two 64 bit words."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.events.schema import PRICE


def from_cents(cents: npt.NDArray[np.int64], type_: pa.Decimal128Type = PRICE) -> pa.Decimal128Array:
    """Decimals of two places from hundredths."""
    words = np.empty((len(cents), 2), np.int64)
    words[:, 0] = cents
    words[:, 1] = cents >> 63  # the sign fills the upper word
    return pa.Array.from_buffers(type_, len(cents), [None, pa.py_buffer(words)])


def to_cents(money: pa.Decimal128Array) -> npt.NDArray[np.int64]:
    """Hundredths from decimals of two places without NULL, below 2**63 of them."""
    words = np.frombuffer(money.buffers()[1], np.int64)
    return words[2 * money.offset : 2 * (money.offset + len(money)) : 2]
