"""Arrow columns as the bytes of Cassandra's values, all rows of a column at once.

A value is its length (int, -1 for NULL) and its bytes. `join` puts the values of a row side by side, so that rows that
follow each other are one run of bytes, of which any stretch can be sent.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.uint8]
"""Rows of bytes, each of the same width: a matrix."""
Integers = npt.NDArray[np.int64]

PRICE_SCALE: Final = 2
_PRICE_BYTES: Final = 6  # 47 bits, of which decimal(12, 2) needs 40
_NOTHING: Final = pa.scalar(b"", pa.large_binary())


def number(values: npt.NDArray[np.integer]) -> Bytes:
    """Integers as `bigint`, or as `int` where they are of 32 bits; milliseconds as `timestamp`."""
    width = values.dtype.itemsize
    return beside([constant(width.to_bytes(4, "big"), len(values)), _big_endian(values)])


def day(days: Integers) -> Bytes:
    """Days since 1970 as `date`, which counts from the middle of its range."""
    return beside([constant(b"\0\0\0\x04", len(days)), _big_endian((days + (1 << 31)).astype(np.uint32))])


def decimal(cents: Integers) -> Bytes:
    """Hundredths as `decimal`."""
    head = (4 + _PRICE_BYTES).to_bytes(4, "big") + PRICE_SCALE.to_bytes(4, "big")
    return beside([constant(head, len(cents)), _big_endian(cents)[:, 8 - _PRICE_BYTES :]])


def fixed(data: Bytes) -> Bytes:
    """Bytes as `blob`."""
    return beside([constant(data.shape[1].to_bytes(4, "big"), len(data)), data])


def constant(data: bytes, rows: int) -> Bytes:
    """The same bytes in each row."""
    return np.broadcast_to(np.frombuffer(data, np.uint8), (rows, len(data)))


def beside(columns: Sequence[Bytes]) -> Bytes:
    """Columns side by side."""
    return np.concatenate(columns, axis=1)


def plain(data: Bytes) -> pa.LargeBinaryArray:
    """Rows of one width as an Arrow column."""
    rows, width = data.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    )


def text(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Text or bytes as `text`, `blob` or a value of its own kind: the lengths, and the bytes."""
    data = column.cast(pa.large_binary())
    lengths = pc.fill_null(pc.binary_length(data), -1).cast(pa.int32()).to_numpy(zero_copy_only=False)
    return plain(_big_endian(lengths)), pc.fill_null(data, b"")


def texts(columns: Sequence[pa.DictionaryArray]) -> pa.LargeBinaryArray:
    """Columns of few different values as `text`, side by side. What goes together is made once."""
    together = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        together *= len(column.dictionary) + 1
        together += pc.fill_null(column.indices, len(column.dictionary)).to_numpy()
    coded = pa.array(together).dictionary_encode()
    rest = coded.dictionary.to_numpy()
    parts: list[pa.Array] = []
    for column in reversed(columns):
        rest, code = np.divmod(rest, len(column.dictionary) + 1)
        parts[:0] = text(column.dictionary.take(pa.array(code, mask=code == len(column.dictionary))))
    return join(parts).take(coded.indices)


def tuple_of(own: Bytes, others: Sequence[pa.Array]) -> list[pa.Array]:
    """Values of a type of several fields: those of one width, and then others; its length, and the fields."""
    lengths = own.shape[1] + sum((pc.binary_length(data).to_numpy() for data in others), np.zeros(len(own)))
    return [plain(beside([_big_endian(lengths.astype(np.int32)), own])), *others]


def list_of(values: pa.LargeBinaryArray, begins: Integers, count: int) -> list[pa.Array]:
    """Values that follow each other as lists, from each of `begins` to the next: the head of each, and its values.

    `count` is the number of all values.
    """
    parts = stretches(values, begins)
    sizes = pc.binary_length(parts).to_numpy() + 4
    return [plain(_big_endian(np.stack([sizes, np.diff(begins, append=count)], axis=1).astype(np.int32))), parts]


def join(columns: Sequence[pa.Array]) -> pa.LargeBinaryArray:
    """The bytes of columns, row by row."""
    return pc.binary_join_element_wise(*columns, _NOTHING)


def stretches(rows: pa.LargeBinaryArray, begins: Integers) -> pa.LargeBinaryArray:
    """Rows that follow each other put together, from each of `begins` to the next; nothing is copied."""
    ends = np.append(offsets(rows)[begins], offsets(rows)[-1])
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(begins), [None, pa.py_buffer(np.ascontiguousarray(ends)), rows.buffers()[2]]
    )


def offsets(rows: pa.LargeBinaryArray) -> Integers:
    """Where each row begins in the buffer of their bytes, and where the last one ends."""
    return np.frombuffer(rows.buffers()[1], np.int64, len(rows) + 1, rows.offset * 8)


def bytes_of(column: pa.Array, width: int) -> Bytes:
    """A binary column in which each value has `width` bytes, as a matrix."""
    if not len(column):
        return np.empty((0, width), np.uint8)
    start = int(np.frombuffer(column.buffers()[1], np.int32, 1, column.offset * 4)[0])
    return np.frombuffer(column.buffers()[2], np.uint8, len(column) * width, start).reshape(-1, width)


def cents_of(prices: pa.Array) -> Integers:
    """Prices of two decimal places in hundredths."""
    # The lower half of 128 bits is all of it: no price has more than 12 digits.
    return np.frombuffer(prices.buffers()[1], "<i8", 2 * len(prices), 16 * prices.offset)[::2]


def _big_endian(values: npt.NDArray[np.integer]) -> Bytes:
    """The bytes of integers, those of a row side by side."""
    width = values.dtype.itemsize * (values.shape[1] if values.ndim > 1 else 1)
    return values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(-1, width)
