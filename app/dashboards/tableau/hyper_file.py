"""Makes a `.hyper` file the same each time that it is made of the same rows.

Hyper gives a new file a random id and the time in microseconds; all else is the same for the same rows, loaded by one
thread. Both stand in places of their own, each with a checksum (CRC-32C) of the block around it:

    0, 4,096             two headers of 4,096 bytes, of which the newer one counts: magic, at 96 the time, in the last 4
                         bytes the checksum of those before
    a multiple of 128    the database: magic, at 16 its id of 16 bytes, at 48 a checksum

A checksum is linear: it changes by the checksum of the change, however it was begun.
"""

import hashlib
import struct
from pathlib import Path
from typing import Final

_HEADER_BYTES: Final = 4096
_HEADERS: Final = (0, _HEADER_BYTES)
_HEADER_MAGIC: Final = b"Hyper\x08"
_TIME_AT: Final = 96
_DATABASE_MAGIC: Final = b"HyperDB\0"
_ALIGNMENT: Final = 128
_ID_AT: Final = 16
_ID_BYTES: Final = 16
_DATABASE_CHECKSUM_AT: Final = 48
_CHECKSUM_BYTES: Final = 4
_TIME: Final = struct.pack("<Q", 2_451_545 * 86_400_000_000)
"""The first of January 2000 in microseconds of Julian days."""


def make_stable(path: Path) -> bool:
    """Set the file's id to one made of its content, and its time to a fixed one.

    Returns False, and leaves the file as it is, where it is not of the form that is known.
    """
    data = bytearray(path.read_bytes())
    database = _find_database(data)
    if database is None or not all(_is_header(data, at) for at in _HEADERS):
        return False
    for header in _HEADERS:
        _replace(data, header + _TIME_AT, _TIME, header, header + _HEADER_BYTES - _CHECKSUM_BYTES)
    checksum_at = database + _DATABASE_CHECKSUM_AT
    _replace(data, database + _ID_AT, bytes(_ID_BYTES), database, checksum_at)
    _replace(data, database + _ID_AT, hashlib.sha256(data).digest()[:_ID_BYTES], database, checksum_at)
    path.write_bytes(data)
    return True


def _is_header(data: bytearray, at: int) -> bool:
    end = at + _HEADER_BYTES - _CHECKSUM_BYTES
    if len(data) < at + _HEADER_BYTES or data[at : at + len(_HEADER_MAGIC)] != _HEADER_MAGIC:
        return False
    return data[end : at + _HEADER_BYTES] == struct.pack("<I", _checksum(data[at:end]))


def _find_database(data: bytearray) -> int | None:
    at = data.find(_DATABASE_MAGIC)
    while at >= 0 and at % _ALIGNMENT:
        at = data.find(_DATABASE_MAGIC, at + 1)
    return at if at >= 0 else None


def _replace(data: bytearray, at: int, new: bytes, start: int, checksum_at: int) -> None:
    """Replace bytes of a block that begins at `start` and is followed by its checksum."""
    before = bytes(data[start:checksum_at])
    data[at : at + len(new)] = new
    change = bytes(old ^ changed for old, changed in zip(before, data[start:checksum_at], strict=True))
    (checksum,) = struct.unpack_from("<I", data, checksum_at)
    struct.pack_into("<I", data, checksum_at, checksum ^ _checksum(change))


def _checksum(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def _table() -> tuple[int, ...]:
    polynomial = 0x82F63B78  # Castagnoli's, reflected
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE: Final = _table()
