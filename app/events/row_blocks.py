"""Cut the bytes of an event file into blocks of whole rows.

A row is what ends with a line feed, or with the file. One longer than `LONG_ROW_BYTES` is no event, and could be as
long as the file: it is delivered as several rows, each of which is still too long to be an event (`MAX_ROW_BYTES`), so
that nothing is lost and memory stays bounded. A header between rows, as files that were joined have it, is no row.
"""

import io
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from app.events.byte_streams import BOM, EventFileError
from app.events.layout import CANONICAL, HeaderError, Layout, read_header
from app.events.schema import MAX_ROW_BYTES, RAW_COLUMNS

LONG_ROW_BYTES: Final = 1 << 20
"""A longer row is delivered in parts of this size; the last part is longer than `MAX_ROW_BYTES` too."""
_CHUNK_BYTES: Final = 4 << 20
_NAME: Final = RAW_COLUMNS[0].encode()

_Ends = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Rows as they stand in the file, next to each other, ends of line included."""

    data: bytes
    first_row: int
    """Number of the first row: 1 is the first after the header."""
    rows: int
    offset: int
    """Where `data` begins, in bytes from the start of the file (of what it unpacks to, for a packed one)."""
    layout: Layout = CANONICAL
    """The order of the file's columns."""

    @property
    def end(self) -> int:
        """The byte after the block: where the next one begins."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class BlockCutter:
    """Cuts a file of a layout into blocks of at most `rows` rows and `max_bytes` bytes; a longer row is one alone."""

    path: str
    layout: Layout
    rows: int
    max_bytes: int

    def __post_init__(self) -> None:
        """Check the limits."""
        if self.rows < 1 or self.max_bytes < 1:
            raise ValueError(
                f"a block needs at least one row and one byte, not rows={self.rows}, max_bytes={self.max_bytes}"
            )

    def cut(self, stream: io.RawIOBase, held: bytes, row: int, offset: int, end: int | None = None) -> Iterator[Block]:
        """Blocks of `held` and what follows it in `stream`; `offset` is where `held` begins. No row from `end` on.

        Raises:
            EventFileError: the stream's, or of a header that names other columns; the rows before are delivered first.
        """
        inside = False  # whether `held` continues a row of which a part was delivered
        error: EventFileError | None = None
        final = False
        while not final:
            try:
                fresh = stream.read(max(_CHUNK_BYTES, self.max_bytes)) or b""
            except EventFileError as damage:
                error, fresh = damage, b""
            final = not fresh
            data = held + fresh if held else fresh
            ends, parts = _row_ends(data, whole=final and error is None)
            if end is not None:
                known, over = _begun_before(end - offset, ends, parts, inside=inside)
                final = final or over
                ends = ends[:known]
            headers, other = self._headers(data, ends)
            if other is not None:
                error, final, ends = (
                    self._other_layout(offset + (int(ends[other - 1]) if other else 0)),
                    True,
                    ends[:other],
                )
            at = begin = 0
            while at < len(ends):
                following = bisect_left(headers, at)
                header = headers[following] if following < len(headers) else len(ends)
                if header == at:
                    begin, at = int(ends[at]), at + 1
                    continue
                stop = min(at + self.rows, header)
                if ends[stop - 1] - begin > self.max_bytes:
                    stop = max(at + 1, int(np.searchsorted(ends[at:stop], begin + self.max_bytes, "right")) + at)
                elif stop - at < self.rows and stop == len(ends) and not final and not parts:
                    break
                cut = next((part + 1 for part in parts if at <= part < stop), stop)
                after = int(ends[cut - 1])
                yield Block(data[begin:after], row, cut - at, offset + begin, self.layout)
                row += cut - at
                begin = after
                inside = cut - 1 in parts
                at = cut
            held = data[begin:]
            offset += begin
        if error:
            raise error

    def _headers(self, data: bytes, ends: _Ends) -> tuple[list[int], int | None]:
        """The indices of the rows that are headers of the file's layout, and of the first one of another layout."""
        begins = np.append(0, ends[:-1])[: len(ends)]
        first = np.frombuffer(data, np.uint8)[begins]
        headers: list[int] = []
        # Most rows begin with a digit of their time, and no header does.
        if not ((first - ord("0")) > ord("9") - ord("0")).any():
            return headers, None
        found = data.find(_NAME)
        while found >= 0:
            index = int(np.searchsorted(ends, found, "right"))
            if index == len(ends):
                break
            begin, after = int(begins[index]), int(ends[index])
            layout = _layout_of(data[begin:after]) if after - begin <= MAX_ROW_BYTES else None
            if layout is not None:
                if layout != self.layout:
                    return headers, index
                headers.append(index)
            found = data.find(_NAME, after)
        return headers, None

    def _other_layout(self, place: int) -> EventFileError:
        return EventFileError(
            f"{self.path} has a second header at byte {place:,}, which names its columns in another order than the "
            "first; the rows before it were read. Cut the file there into two"
        )


def _layout_of(line: bytes) -> Layout | None:
    try:
        return read_header(line.removeprefix(BOM).rstrip(b"\r\n"))
    except HeaderError:
        return None


def _row_ends(data: bytes, *, whole: bool) -> tuple[_Ends, list[int]]:
    """Where the rows in `data` end, and the indices of those that are parts of a long row without its end.

    `whole` says that the file ends with `data`, so that a last row without a line feed is one.
    """
    ends: _Ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    last = int(ends[-1]) if len(ends) else 0
    widest = max(int(np.diff(ends, prepend=0).max(initial=0)), len(data) - last)
    limit = LONG_ROW_BYTES + MAX_ROW_BYTES + len("\r\n")  # a row up to here is one part; more leaves a long last part
    if widest <= limit:
        return (np.append(ends, len(data)) if whole and last < len(data) else ends), []
    found: list[int] = []
    parts: list[int] = []
    begin = 0
    for stop in [*ends.tolist(), *([len(data)] if last < len(data) else [])]:
        while stop - begin > limit:
            begin += LONG_ROW_BYTES
            parts.append(len(found))
            found.append(begin)
        if stop <= last or whole:
            found.append(stop)
        begin = stop
    return np.array(found, np.int64), parts


def _begun_before(limit: int, ends: _Ends, parts: list[int], *, inside: bool) -> tuple[int, bool]:
    """How many of the rows begin before byte `limit`, with the parts that continue them; whether the next does not."""
    begins = np.append(0, ends)  # the last is that of the row whose end is not read
    continued = {part + 1 for part in parts} | ({0} if inside else set())
    count = int(np.searchsorted(begins, limit, "left"))
    while count in continued:
        count += 1
    return min(count, len(ends)), count <= len(ends)
