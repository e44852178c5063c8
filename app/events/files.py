"""Event files: local or in Cloud Storage, plain or gzip, read as blocks of raw rows in constant memory.

    >>> for path in expand(["gs://shop-events/2019-*.csv.gz"]):
    ...     for block in read_blocks(path, rows=500):
    ...         decode(block.data, source=path, first_row=block.first_row)

A row is what ends with a line feed, or with the file. Its number counts from 1, the header not counted. A row longer
than `LONG_ROW_BYTES` is no event, and could be as long as the file: it is delivered as several rows, each of which
is still too long to be an event (`MAX_ROW_BYTES`), so that nothing is lost and memory stays bounded.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from app.events.byte_streams import EventFileError, GzipStream, open_local
from app.events.cloud_objects import SCHEME, ObjectStream, expand_url, find_object
from app.events.csv_codec import BOM, HEADER
from app.events.schema import MAX_ROW_BYTES

__all__ = ["Block", "EventFile", "EventFileError", "describe", "expand", "open_rows", "read_blocks", "read_range"]

LONG_ROW_BYTES: Final = 1 << 20
"""A longer row is delivered in parts of this size; the last part is longer than `MAX_ROW_BYTES` too."""
BLOCK_BYTES: Final = 4 << 20
_CHUNK_BYTES: Final = 4 << 20
_HEAD_BYTES: Final = len(BOM) + len(HEADER) + 2
_GZIP: Final = b"\x1f\x8b"
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Block:
    """Rows as they stand in the file, next to each other, ends of line included."""

    data: bytes
    first_row: int
    """Number of the first row: 1 is the first after the header."""
    rows: int
    offset: int
    """Where `data` begins, in bytes from the start of the file (of what it unpacks to, for gzip)."""

    @property
    def end(self) -> int:
        """The byte after the block: where the next one begins."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class EventFile:
    """What identifies a version of a file."""

    path: str
    size: int
    """Bytes as stored."""
    version: str
    """Changes when the file is written anew: an object's generation, a local file's time of change."""
    is_gzip: bool


def expand(paths: Iterable[str]) -> list[str]:
    """The files that `paths` mean, in their order: absolute local paths and gs:// URLs.

    A path is a file, a glob (`data/*.csv.gz`, `gs://bucket/2019-*.csv`) or a prefix in Cloud Storage that ends with
    a slash (`gs://bucket/october/`). What a glob or prefix matches comes in the order of names.

    Raises:
        EventFileError: a path is missing or a directory, or matches nothing.
    """
    return [file for path in paths for file in (expand_url(path) if path.startswith(SCHEME) else _expand_local(path))]


def describe(path: str) -> EventFile:
    """Size, version and kind of a file.

    Raises:
        EventFileError: it cannot be read.
    """
    if path.startswith(SCHEME):
        blob = find_object(path)
        with ObjectStream(blob) as stream:
            return EventFile(path, int(blob.size or 0), str(blob.generation), stream.read(2) == _GZIP)
    with open_local(path) as stream:
        status = Path(path).stat()
        return EventFile(path, status.st_size, str(status.st_mtime_ns), stream.read(2) == _GZIP)


def open_rows(path: str, offset: int = 0) -> io.RawIOBase:
    """Open a file as the bytes of its rows, unpacked where it is gzip (told by its first bytes, not by its name).

    `offset` counts in unpacked bytes; a plain file is opened there at once, a gzip file is read up to there.
    `read(size)` may return fewer bytes than asked for, none only at the end.

    Raises:
        EventFileError: the file is missing, a directory or not readable; on reading, that its gzip data is cut short
            or damaged. What was before the damage is delivered first.
    """
    if path.startswith(SCHEME):
        blob = find_object(path)
        stream: io.RawIOBase = ObjectStream(blob)
        is_gzip = stream.read(2) == _GZIP
        stream.close()
        stream = ObjectStream(blob, 0 if is_gzip else offset)
    else:
        with open_local(path) as probe:
            is_gzip = probe.read(2) == _GZIP
        stream = open_local(path, 0 if is_gzip else offset)
    if not is_gzip:
        return stream
    unpacked = GzipStream(stream, path)
    while offset:
        skipped = unpacked.read(min(offset, _CHUNK_BYTES))
        if not skipped:
            raise EventFileError(f"{path} ends {offset:,} bytes before the place to continue at; is it the same file?")
        offset -= len(skipped)
    return unpacked


def read_blocks(
    path: str, rows: int = 500, max_bytes: int = BLOCK_BYTES, *, first_row: int = 1, offset: int = 0
) -> Iterator[Block]:
    """The rows of a file in blocks of at most `rows` rows and `max_bytes` bytes (a longer row is a block alone).

    A header is left out, and so is a byte order mark. To continue after a block give `first_row=block.first_row +
    block.rows, offset=block.end`.

    Raises:
        EventFileError: as `open_rows`; the whole rows before a damaged place are delivered first.
    """
    with open_rows(path, offset) as stream:
        head, skip = (b"", 0) if offset else _head(stream)
        yield from _cut(stream, head[skip:], rows, max_bytes, first_row, offset + skip)


def read_range(path: str, start: int, length: int, rows: int = 500, max_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The rows of a plain file that begin in the bytes from `start` to `start + length`, so that adjoining ranges
    give each row exactly once. The header is left out. Row numbers count from 1 in each range: add the rows of the
    ranges before it for the number in the file.

    Raises:
        EventFileError: as `open_rows`; or the file is gzip, which can be read from its beginning only.
    """
    if describe(path).is_gzip:
        raise EventFileError(f"{path} is gzip and cannot be read by ranges; read it whole, or unpack it")
    end = start + length
    with open_rows(path, max(start - 1, 0)) as stream:
        if start:
            held, begin = _after_line_end(stream, start - 1)
        else:
            head, begin = _head(stream)
            held = head[begin:]
        yield from _cut(stream, held, rows, max_bytes, 1, begin, end)


def _cut(
    stream: io.RawIOBase, held: bytes, rows: int, max_bytes: int, row: int, offset: int, end: int | None = None
) -> Iterator[Block]:
    """Blocks of `held` and what follows it in `stream`; `offset` is where `held` begins. No row from `end` on."""
    if rows < 1 or max_bytes < 1:
        raise ValueError(f"a block needs at least one row and one byte, not rows={rows}, max_bytes={max_bytes}")
    inside = False  # whether `held` continues a row of which a part was delivered
    error: EventFileError | None = None
    final = False
    while not final:
        try:
            fresh = stream.read(max(_CHUNK_BYTES, max_bytes)) or b""
        except EventFileError as damage:
            error, fresh = damage, b""
        final = not fresh
        data = held + fresh if held else fresh
        ends, parts = _row_ends(data, whole=final and error is None)
        if end is not None:
            known, over = _begun_before(end - offset, ends, parts, inside=inside)
            final = final or over
            del ends[known:]
        at = begin = 0
        while at < len(ends):
            stop = min(at + rows, len(ends))
            if ends[stop - 1] - begin > max_bytes:
                stop = max(at + 1, int(np.searchsorted(ends[at:stop], begin + max_bytes, "right")) + at)
            elif stop - at < rows and not final and not parts:
                break
            cut = next((part + 1 for part in parts if at <= part < stop), stop)
            yield Block(data[begin : ends[cut - 1]], row, cut - at, offset + begin)
            row += cut - at
            begin = ends[cut - 1]
            inside = cut - 1 in parts
            at = cut
        held = data[begin:]
        offset += begin
    if error:
        raise error


def _row_ends(data: bytes, *, whole: bool) -> tuple[list[int], list[int]]:
    """Where the rows in `data` end, and the indices of those that are parts of a long row without its end.

    `whole` says that the file ends with `data`, so that a last row without a line feed is one.
    """
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    last = int(ends[-1]) if len(ends) else 0
    widest = max(int(np.diff(ends, prepend=0).max(initial=0)), len(data) - last)
    limit = LONG_ROW_BYTES + MAX_ROW_BYTES + len("\r\n")  # a row up to here is one part; more leaves a long last part
    if widest <= limit:
        return ends.tolist() + ([len(data)] if whole and last < len(data) else []), []
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
    return found, parts


def _begun_before(limit: int, ends: list[int], parts: list[int], *, inside: bool) -> tuple[int, bool]:
    """How many of the rows begin before byte `limit`, with the parts that continue them; whether the next does not."""
    begins = [0, *ends]  # the last is that of the row whose end is not read
    continued = {part + 1 for part in parts} | ({0} if inside else set())
    count = int(np.searchsorted(begins, limit, "left"))
    while count in continued:
        count += 1
    return min(count, len(ends)), count <= len(ends)


def _head(stream: io.RawIOBase) -> tuple[bytes, int]:
    """The first bytes of a file, and how many of them are byte order mark and header."""
    head = b""
    with suppress(EventFileError):  # the next read raises it again, when the rows before it are delivered
        while len(head) < _HEAD_BYTES and (more := stream.read(_CHUNK_BYTES)):
            head += more
    begin = len(BOM) if head.startswith(BOM) else 0
    line = head[begin : begin + len(HEADER) + 2]
    for end in (b"\r\n", b"\n", b""):
        if line.startswith(HEADER + end) and (end or line == HEADER):
            return head, begin + len(HEADER) + len(end)
    return head, begin


def _after_line_end(stream: io.RawIOBase, offset: int) -> tuple[bytes, int]:
    """What was read after the next line feed, and where in the file that begins."""
    while data := stream.read(_CHUNK_BYTES):
        found = data.find(b"\n")
        if found >= 0:
            return data[found + 1 :], offset + found + 1
        offset += len(data)
    return b"", offset


def _expand_local(path: str) -> list[str]:
    literal = Path(path).expanduser().absolute()
    if literal.exists() or not _WILD & set(path):
        open_local(str(literal)).close()
        return [str(literal)]
    root = Path(literal.anchor)
    found = sorted(str(file) for file in root.glob(str(literal.relative_to(root))) if file.is_file())
    if not found:
        raise EventFileError(f"no file matches {path}")
    return found
