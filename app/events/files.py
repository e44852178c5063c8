"""Event files: local or in Cloud Storage, plain or packed, read as blocks of raw rows in constant memory.

    >>> for path in expand(["gs://shop-events/2019-*.csv.gz"]):
    ...     for block in read_blocks(path, rows=500):
    ...         decode(block.data, source=path, first_row=block.first_row)

A row's number counts from 1, headers not counted. `row_blocks` says what a row is, `file_head` what a header.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.events.byte_streams import EventFileError, open_local
from app.events.cloud_objects import SCHEME, ObjectStream, expand_url, find_object
from app.events.file_head import Head, read_head
from app.events.packings import LONGEST_SIGNATURE, Packing, packing_of
from app.events.row_blocks import Block, BlockCutter

if TYPE_CHECKING:
    from google.cloud.storage import Blob

__all__ = ["Block", "EventFile", "EventFileError", "describe", "expand", "open_rows", "read_blocks", "read_range"]

BLOCK_BYTES: Final = 4 << 20
_CHUNK_BYTES: Final = 4 << 20
_HEAD_FETCHED: Final = 1 << 20
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class EventFile:
    """What identifies a version of a file."""

    path: str
    size: int
    """Bytes as stored."""
    version: str
    """Changes when the file is written anew: an object's generation, a local file's time of change."""
    is_packed: bool
    """Whether it can be read from its beginning only."""


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
        return EventFile(path, int(blob.size or 0), str(blob.generation), _packing(_object(blob)) is not None)
    packing = _packing(open_local(path))
    status = Path(path).stat()
    return EventFile(path, status.st_size, str(status.st_mtime_ns), packing is not None)


def open_rows(path: str, offset: int = 0, *, fetched: int | None = None) -> io.RawIOBase:
    """Open a file as the bytes of its rows, unpacked where it is packed (told by its first bytes, not by its name).

    `offset` counts in unpacked bytes; a plain file is opened there at once, a packed file is read up to there.
    `fetched` is how many bytes, as stored, are of interest: no more are fetched from Cloud Storage.
    `read(size)` may return fewer bytes than asked for, none only at the end.

    Raises:
        EventFileError: the file is missing, a directory or not readable; on reading, that its packed data is cut short
            or damaged. What was before the damage is delivered first.
    """
    if path.startswith(SCHEME):
        blob = find_object(path)
        packing = _packing(_object(blob))
        stream: io.RawIOBase = ObjectStream(blob, 0 if packing else offset, fetched)
    else:
        packing = _packing(open_local(path))
        stream = open_local(path, 0 if packing else offset)
    if packing is None:
        return stream
    unpacked = packing(stream, path)
    while offset:
        skipped = unpacked.read(min(offset, _CHUNK_BYTES))
        if not skipped:
            raise EventFileError(f"{path} ends {offset:,} bytes before the place to continue at; is it the same file?")
        offset -= len(skipped)
    return unpacked


def _object(blob: "Blob") -> io.RawIOBase:
    return ObjectStream(blob, 0, LONGEST_SIGNATURE)


def _packing(stream: io.RawIOBase) -> Packing | None:
    """What unpacks a file that begins as `stream` does; None for plain text."""
    with stream:
        return packing_of(stream.read(LONGEST_SIGNATURE) or b"")


def read_blocks(
    path: str, rows: int = 500, max_bytes: int = BLOCK_BYTES, *, first_row: int = 1, offset: int = 0
) -> Iterator[Block]:
    """The rows of a file in blocks of at most `rows` rows and `max_bytes` bytes (a longer row is a block alone).

    A header is left out, also one between rows, as files that were joined have it; so is a byte order mark. To continue
    after a block give `first_row=block.first_row + block.rows, offset=block.end`.

    Raises:
        EventFileError: as `open_rows`; or a header lacks a column, or names other columns than the first. The whole
            rows before that place are delivered first.
    """
    head = _head_of(path) if offset else None
    with open_rows(path, offset) as stream:
        held = b""
        if head is None:
            head, held = read_head(stream, path)
        yield from BlockCutter(path, head.layout, rows, max_bytes).cut(stream, held, first_row, offset or head.size)


def read_range(path: str, start: int, length: int, rows: int = 500, max_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """The rows of a plain file that begin in the bytes from `start` to `start + length`, so that adjoining ranges
    give each row exactly once. Headers are left out. Row numbers count from 1 in each range: add the rows of the
    ranges before it for the number in the file.

    Raises:
        EventFileError: as `read_blocks`; or the file is packed, which can be read from its beginning only.
    """
    if describe(path).is_packed:
        raise EventFileError(f"{path} is packed and cannot be read by ranges; read it whole, or unpack it")
    head = _head_of(path)
    begin = max(start, head.size)
    with open_rows(path, max(begin - 1, head.size)) as stream:
        held = b""
        if begin > head.size:
            held, begin = _after_line_end(stream, begin - 1)
        yield from BlockCutter(path, head.layout, rows, max_bytes).cut(stream, held, 1, begin, start + length)


def _head_of(path: str) -> Head:
    with open_rows(path, fetched=_HEAD_FETCHED) as stream:
        return read_head(stream, path)[0]


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
