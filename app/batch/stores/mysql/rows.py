"""Arrow columns as the text that LOAD DATA reads by default: tabs between values, \\N for NULL, backslash escapes.

Everything is done on whole columns, without a loop over rows.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_NULL: Final = "\\N"
# The backslash first, since the others put in new ones.
_ESCAPES: Final = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"))
_ESCAPED: Final = r"[\\\t\n]"


def as_text(batch: pa.RecordBatch) -> memoryview:
    """The rows of a batch, in UTF-8; binary columns in hexadecimal digits."""
    if not batch.num_rows:
        return memoryview(b"")
    columns = [pc.fill_null(_text(column), pa.scalar(_NULL, pa.large_string())) for column in batch.columns]
    columns[-1] = pc.binary_join_element_wise(
        columns[-1], pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string())
    )
    lines = pc.binary_join_element_wise(*columns, pa.scalar("\t", pa.large_string()))
    return memoryview(lines.buffers()[2])[: _bytes_of(lines)]


def _text(column: pa.Array) -> pa.Array:
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return _text(column.dictionary_decode())
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return _escaped(column.cast(pa.large_string()))
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_):
        return pa.array([value.hex() if value is not None else None for value in column.to_pylist()], pa.large_string())
    if pa.types.is_boolean(type_):
        column = column.cast(pa.int8())
    if pa.types.is_timestamp(type_):
        column = column.cast(pa.int64()).cast(pa.timestamp("us"))  # in UTC, without saying so
    return column.cast(pa.string()).cast(pa.large_string())


def _escaped(column: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
        return column
    for plain, escaped in _ESCAPES:
        column = pc.replace_substring(column, plain, escaped)
    return column


def _bytes_of(lines: pa.Array) -> int:
    """The length of all values of a large_string array that begins at its first value."""
    return int(pc.sum(pc.binary_length(lines)).as_py())
