"""Byte streams of event files: a local file, and gzip around any stream.

`read(size)` gives at most `size` bytes, none only at the end. What was unpacked before an error is returned first and
the error is raised by the next read, so that a damaged file gives the rows that are left of it.
"""

import io
from pathlib import Path
from typing import Any, Final

from isal import igzip_lib

_PACKED_BYTES: Final = 1 << 20
_UNPACKED_BYTES: Final = 4 << 20


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


class GzipStream(io.RawIOBase):
    """What a gzip stream of one or more members holds. Trailing zeros are padding, as for gzip itself."""

    def __init__(self, packed: io.RawIOBase, name: str) -> None:
        """Unpack `packed`; `name` is for error messages."""
        self._packed = packed
        self._name = name
        self._member: Any = None
        self._input = b""
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

    def _unpack(self, size: int) -> bytes | None:
        """At most `size` bytes, perhaps none; None at the end."""
        if self._member is None:
            self._input = self._input.lstrip(b"\0")
            while not self._input:
                packed = self._packed.read(_PACKED_BYTES)
                if not packed:
                    return None
                self._input = packed.lstrip(b"\0")
            self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        if not self._input and self._member.needs_input:
            self._input = self._packed.read(_PACKED_BYTES) or b""
            if not self._input:
                raise EventFileError(
                    f"{self._name} ends in the middle of its gzip data; the rows before it were read. "
                    "Copy or download the file again"
                )
        data, self._input = self._input, b""
        try:
            part: bytes = self._member.decompress(data, size)
        except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stubs call it a value, not a class
            raise EventFileError(
                f"{self._name} has damaged gzip data ({error}); the rows before it were read. Get the file again"
            ) from error
        if self._member.eof:
            self._input = self._member.unused_data
            self._member = None
        return part
