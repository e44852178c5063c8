"""Packings of event files: each is told by its first bytes, and unpacked as a stream."""

import io
from collections.abc import Callable
from typing import Final

from app.events.byte_streams import Bzip2Stream, EventFileError, GzipStream, XzStream
from app.events.zip_stream import ZipStream

Packing = Callable[[io.RawIOBase, str], io.RawIOBase]
"""Opens what a packed stream holds; the text names the file in errors."""


def _refused(kind: str, advice: str) -> Packing:
    def refuse(packed: io.RawIOBase, name: str) -> io.RawIOBase:
        packed.close()
        raise EventFileError(f"{name} is {kind}, which is not read; {advice}")

    return refuse


_PACKINGS: Final[dict[bytes, Packing]] = {
    b"\x1f\x8b": GzipStream,
    b"\xfd7zXZ\0": XzStream,
    **{b"BZh%d1AY&SY" % level: Bzip2Stream for level in range(1, 10)},
    b"PK\x03\x04": ZipStream,
    b"PK\x05\x06": ZipStream,
    b"\x28\xb5\x2f\xfd": _refused("Zstandard", "unpack it with zstd -d, or pack it with gzip"),
    b"7z\xbc\xaf\x27\x1c": _refused("a 7z archive", "unpack it with 7z x"),
    b"Rar!\x1a\x07": _refused("a RAR archive", "unpack it with unrar x"),
    b"PAR1": _refused("Parquet", "write it as CSV with a header"),
}
LONGEST_SIGNATURE: Final = max(map(len, _PACKINGS))


def packing_of(begin: bytes) -> Packing | None:
    """What unpacks a file with these first bytes; None where it is plain text."""
    return next((packing for signature, packing in _PACKINGS.items() if begin.startswith(signature)), None)
