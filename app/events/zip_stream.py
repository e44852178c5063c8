"""What a zip archive holds, read from its beginning: the CSV files in it, one after the other.

Data sets are published as zip archives, of one file or of several. An archive's list of files is at its end; here each
is found by its own header, so that an archive in Cloud Storage is read as a stream.
"""

import io
import struct
import zlib
from typing import Any, Final

from app.events.byte_streams import EventFileError, UnpackedStream

_HEADER: Final = struct.Struct("<4xHHH4xIIIHH")  # version, flags, method; crc, packed size, size; length of name, extra
_MEMBER: Final = b"PK\x03\x04"
_DESCRIPTOR: Final = b"PK\x07\x08"
_ENDS: Final = (b"PK\x01\x02", b"PK\x05\x06")
_ENCRYPTED, _SIZES_FOLLOW, _UTF_8 = 1, 8, 0x800
_STORED, _DEFLATED = 0, 8
_IN_EXTRA: Final = 0xFFFFFFFF
_ZIP64: Final = 1
_CHUNK_BYTES: Final = 1 << 20


class ZipStream(UnpackedStream):
    """The rows of all .csv files of an archive. Where one ends without a line feed, one is added."""

    kind = "zip"

    def __init__(self, packed: io.RawIOBase, name: str) -> None:
        """Unpack `packed`; `name` is for error messages."""
        super().__init__(packed, name)
        self._input = b""
        self._member: _Member | None = None
        self._others: list[str] = []
        self._last = b"\n"
        self._found = False

    def _unpack(self, size: int) -> bytes | None:
        if self._member is None:
            self._member = self._next_member()
            if self._member is None:
                if not self._found:
                    raise self._refused(f"it has no .csv file, but {', '.join(self._others) or 'nothing'}")
                return None
        member = self._member
        if not self._input and not member.is_done:
            self._input = self._packed.read(_CHUNK_BYTES) or b""
            if not self._input:
                raise self._cut_short()
        try:
            part, self._input = member.unpack(self._input, size)
        except zlib.error as error:
            raise self._damaged(error) from error
        if not member.is_csv:
            part = b""
        self._last = part[-1:] or self._last
        if member.is_done:
            self._end_member(member)
            self._member = None
            if self._last != b"\n":
                part, self._last = part + b"\n", b"\n"
        return part

    def _next_member(self) -> "_Member | None":
        signature = self._peek(4)
        if signature in _ENDS:
            return None
        if signature != _MEMBER:
            raise self._damaged("no file begins where one is expected")
        _, flags, method, crc, packed, size, name_length, extra_length = _HEADER.unpack(self._take(_HEADER.size))
        name = self._take(name_length).decode("utf-8" if flags & _UTF_8 else "cp437", "replace")
        extra = self._take(extra_length)
        if flags & _ENCRYPTED:
            raise self._refused(f"{name} in it is encrypted")
        if method not in (_STORED, _DEFLATED) or (method == _STORED and flags & _SIZES_FOLLOW):
            raise self._refused(f"{name} in it is not packed by deflate")
        if packed == _IN_EXTRA or size == _IN_EXTRA:
            size, packed = _sizes(extra, size, packed)
        is_csv = name.lower().endswith((".csv", ".tsv", ".txt")) and not name.startswith("__MACOSX/")
        self._found = self._found or is_csv
        if not is_csv:
            self._others.append(name)
        return _Member(name, is_csv, method == _DEFLATED, packed, None if flags & _SIZES_FOLLOW else crc)

    def _end_member(self, member: "_Member") -> None:
        """Read what follows a member's data where its header could not know its sizes, and check its sum."""
        expected = member.expected_crc
        if expected is None:
            if self._peek(4) == _DESCRIPTOR:
                self._take(4)
            expected = int.from_bytes(self._take(4), "little")
            # Sizes have four bytes each, or eight in an archive of zip64: then the next file does not begin after four.
            self._take(8)
            if self._peek(4) not in (_MEMBER, *_ENDS):
                self._take(8)
        if expected != member.crc:
            raise self._damaged(f"the checksum of {member.name} in it is wrong")

    def _refused(self, why: str) -> EventFileError:
        return EventFileError(f"{self._name} cannot be unpacked: {why}. Unpack it, or pack its files with gzip")

    def _peek(self, count: int) -> bytes:
        while len(self._input) < count and (more := self._packed.read(_CHUNK_BYTES)):
            self._input += more
        if len(self._input) < count:
            raise self._cut_short()
        return self._input[:count]

    def _take(self, count: int) -> bytes:
        taken = self._peek(count)
        self._input = self._input[count:]
        return taken


class _Member:
    """A file of an archive while it is unpacked."""

    def __init__(self, name: str, is_csv: bool, deflated: bool, packed: int, crc: int | None) -> None:
        self.name = name
        self.is_csv = is_csv
        self.expected_crc = crc
        self.crc = 0
        self._inflater: Any = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
        self._left = packed

    @property
    def is_done(self) -> bool:
        """Whether its data has ended."""
        return bool(self._inflater.eof) if self._inflater else not self._left

    def unpack(self, data: bytes, size: int) -> tuple[bytes, bytes]:
        """At most `size` bytes, and what is left of `data`."""
        if self._inflater:
            part = self._inflater.decompress(data, size)
            rest = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        else:
            count = min(size, self._left, len(data))
            part, rest = data[:count], data[count:]
            self._left -= count
        self.crc = zlib.crc32(part, self.crc)
        return part, rest


def _sizes(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """The sizes that stand in the extra fields of a header of zip64."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        values, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _ZIP64:
            if size == _IN_EXTRA and len(values) >= 8:
                size, values = int.from_bytes(values[:8], "little"), values[8:]
            if packed == _IN_EXTRA and len(values) >= 8:
                packed = int.from_bytes(values[:8], "little")
    return size, packed
