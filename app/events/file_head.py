"""The head of an event file: what stands before its first row."""

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.events.byte_streams import BOM, EventFileError
from app.events.layout import CANONICAL, MAX_HEADER_BYTES, HeaderError, Layout, read_header

_CHUNK_BYTES: Final = 4 << 20
_HEAD_BYTES: Final = 2 * MAX_HEADER_BYTES
_SEPARATOR: Final = b"sep="
"""Begins the line by which Excel is told of the delimiter."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the first row: `size` bytes, from which the layout of the rows is known."""

    size: int
    layout: Layout


def read_head(stream: io.RawIOBase, path: str) -> tuple[Head, bytes]:
    """The head of a file, and what was read after it.

    A byte order mark is of the head, and so is a header with blank lines or Excel's `sep=;` before it. Without a header
    the first line is a row.

    Raises:
        EventFileError: the header lacks a column or names one twice, or the file is UTF-16.
    """
    data = b""
    with suppress(EventFileError):  # the next read raises it again, when the rows before it are delivered
        while len(data) < _HEAD_BYTES and (more := stream.read(_CHUNK_BYTES)):
            data += more
    if (data[:2], data[3:4]) == (b"\xff\xfe", b"\0") or (data[:2], data[2:3]) == (b"\xfe\xff", b"\0"):
        raise EventFileError(f"{path} is UTF-16, as spreadsheets may write it; save it as CSV in UTF-8")
    begin = len(BOM) if data.startswith(BOM) else 0
    head = Head(begin, CANONICAL)
    end = begin
    while end < min(len(data), _HEAD_BYTES):
        begin, end = end, data.find(b"\n", end, begin + _HEAD_BYTES) + 1 or len(data)
        line = data[begin:end].rstrip(b"\r\n")
        if line and not line.lower().startswith(_SEPARATOR):
            try:
                layout = read_header(line)
            except HeaderError as error:
                raise EventFileError(f"{path} cannot be read: {error}") from error
            if layout:
                head = Head(end, layout)
            break
    return head, data[head.size :]
