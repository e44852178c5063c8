"""Byte streams of event files: a local file, and what a packed stream holds.

`read(size)` gives at most `size` bytes, none only at the end. What was unpacked before an error is returned first and
the error is raised by the next read, so that a damaged file gives the rows that are left of it.
"""

import bz2
import io
import lzma
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final

from isal import igzip_lib

BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which may stand in front of a file."""

_PACKED_BYTES: Final = 1 << 20
_UNPACKED_BYTES: Final = 4 << 20
_XZ_MEMORY: Final = 256 << 20


class EventFileError(Exception):
    """An event file cannot be read; the message says which, why, and what to do."""


def open_local(path: str, offset: int = 0) -> io.RawIOBase:
    """Open a local file at a byte.

    Raises:
        EventFileError: it is missing, a directory, or not readable.
    """
    try:
        stream = Path(path).open("rb", buffering=0)  # noqa: SIM115 the caller closes it
        stream.seek(offset)
    except IsADirectoryError as error:
        raise EventFileError(f"{path} is a directory; name the files in it, for example '{path}/*.csv*'") from error
    except FileNotFoundError as error:
        raise EventFileError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise EventFileError(f"{path} cannot be read: {error.strerror}") from error
    return stream


class UnpackedStream(io.RawIOBase):
    """What a packed stream holds; `_unpack` gives it piece by piece."""

    kind: ClassVar[str]

    def __init__(self, packed: io.RawIOBase, name: str) -> None:
        """Unpack `packed`; `name` is for error messages."""
        self._packed = packed
        self._name = name
        self._error: EventFileError | None = None

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Exactly `size` bytes unless the end or an error comes first; all that is left for -1."""
        parts: list[bytes] = []
        missing = size if size >= 0 else 1 << 62
        while missing and self._error is None:
            try:
                part = self._unpack(min(missing, _UNPACKED_BYTES))
            except EventFileError as error:
                self._error = error
                break
            if part is None:
                break
            parts.append(part)
            missing -= len(part)
        if not parts and self._error and size:
            raise self._error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any, /) -> int:
        """Read into `buffer`; the number of bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the packed stream too."""
        self._packed.close()
        super().close()

    @abstractmethod
    def _unpack(self, size: int) -> bytes | None:
        """At most `size` bytes, perhaps none; None at the end. Raises EventFileError."""

    def _cut_short(self) -> EventFileError:
        return EventFileError(
            f"{self._name} ends in the middle of its {self.kind} data; the rows before it were read. "
            "Copy or download the file again"
        )

    def _damaged(self, what: object) -> EventFileError:
        return EventFileError(
            f"{self._name} has damaged {self.kind} data ({what}); the rows before it were read. Get the file again"
        )


class _MemberStream(UnpackedStream):
    """One or more packed streams, one after the other. Trailing zeros are padding, as for gzip itself."""

    errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, packed: io.RawIOBase, name: str) -> None:
        super().__init__(packed, name)
        self._member: Any = None
        self._input = b""

    @abstractmethod
    def _decompressor(self) -> Any:
        """What unpacks a member."""

    def _unpack(self, size: int) -> bytes | None:
        if self._member is None:
            self._input = self._input.lstrip(b"\0")
            while not self._input:
                packed = self._packed.read(_PACKED_BYTES)
                if not packed:
                    return None
                self._input = packed.lstrip(b"\0")
            self._member = self._decompressor()
        if not self._input and self._member.needs_input:
            self._input = self._packed.read(_PACKED_BYTES) or b""
            if not self._input:
                raise self._cut_short()
        data, self._input = self._input, b""
        try:
            part: bytes = self._member.decompress(data, size)
        except self.errors as error:
            raise self._damaged(error) from error
        if self._member.eof:
            self._input = self._member.unused_data
            self._member = None
        return part


class GzipStream(_MemberStream):
    """What gzip members hold."""

    kind = "gzip"
    errors = (igzip_lib.IsalError,)  # type: ignore[assignment]  # the stubs call it a value, not a class

    def _decompressor(self) -> Any:
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


class XzStream(_MemberStream):
    """What xz streams hold."""

    kind = "xz"
    errors = (lzma.LZMAError,)

    def _decompressor(self) -> Any:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


class Bzip2Stream(_MemberStream):
    """What bzip2 streams hold."""

    kind = "bzip2"
    errors = (OSError, ValueError)

    def _decompressor(self) -> Any:
        return bz2.BZ2Decompressor()
