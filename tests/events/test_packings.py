"""What packed files hold is read whole, and what cannot be read is told by name."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import pytest

from app.events.csv_codec import HEADER
from app.events.files import EventFileError, describe, read_blocks

ROW = b"2019-10-01 00:00:%02d UTC,view,%d,2053013555631882655,electronics.smartphone,apple,9.90,512,s"
MANY = 10_000
CSV = b"\n".join([HEADER, *(ROW % (i % 60, i) for i in range(MANY))]) + b"\n"


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False) -> bytes:
    """An archive; a streamed one has the sizes behind the data, as `zip -` writes them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(cast(IO[bytes], Unseekable(packed)) if streamed else packed, "w", compression) as archive:
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=streamed) as file:
                file.write(data)
    return packed.getvalue()


class Unseekable(io.RawIOBase):
    """A pipe."""

    def __init__(self, to: io.BytesIO) -> None:
        self._to = to

    def write(self, data: Any, /) -> int:
        return self._to.write(data)

    def writable(self) -> bool:
        return True


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zip": lambda data: zipped({"2019-Oct.csv": data}),
    "stored zip": lambda data: zipped({"2019-Oct.csv": data}, zipfile.ZIP_STORED),
    "streamed zip": lambda data: zipped({"2019-Oct.csv": data}, streamed=True),
}


def rows_of(path: Path) -> list[bytes]:
    return [row for block in read_blocks(str(path), 500) for row in block.data.splitlines()]


@pytest.mark.parametrize("kind", PACKED)
def test_every_packing_gives_the_rows_that_were_packed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(PACKED[kind](CSV))
    assert rows_of(path) == CSV.splitlines()[1:]
    assert describe(str(path)).is_packed


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_that_is_cut_short_gives_its_rows_and_then_an_error(tmp_path: Path, kind: str) -> None:
    packed = PACKED[kind](CSV)
    path = tmp_path / "cut.csv"
    path.write_bytes(packed[: len(packed) // 2])
    found: list[bytes] = []
    with pytest.raises(EventFileError, match=r"cut\.csv ends in the middle of its \w+ data"):
        found.extend(row for block in read_blocks(str(path), 500) for row in block.data.splitlines())
    assert found == CSV.splitlines()[1 : 1 + len(found)]


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_file_that_is_damaged_is_an_error(tmp_path: Path, kind: str) -> None:
    packed = bytearray(PACKED[kind](CSV))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "damaged.csv"
    path.write_bytes(packed)
    with pytest.raises(EventFileError, match=r"damaged\.csv (has damaged|ends in the middle of its) \w+ data"):
        rows_of(path)


@pytest.mark.parametrize("streamed", [False, True])
def test_the_csv_files_of_an_archive_are_read_one_after_the_other(tmp_path: Path, streamed: bool) -> None:
    first, second = (b"\n".join([HEADER, ROW % (0, i), ROW % (1, i)]) for i in (1, 2))
    files = {"about.md": b"# About", "2019-Oct.csv": first, "__MACOSX/._2019-Oct.csv": b"\0", "2019-Nov.CSV": second}
    path = tmp_path / "archive.zip"
    path.write_bytes(zipped(files, streamed=streamed))
    assert rows_of(path) == [ROW % (0, 1), ROW % (1, 1), ROW % (0, 2), ROW % (1, 2)]


@pytest.mark.parametrize("files", [{}, {"about.md": b"# About"}])
def test_an_archive_without_a_csv_file_is_told(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(zipped(files))
    with pytest.raises(EventFileError, match=r"archive\.zip cannot be unpacked: it has no \.csv file"):
        rows_of(path)


@pytest.mark.parametrize(
    ("begin", "message"),
    [
        (b"\x28\xb5\x2f\xfd", "is Zstandard, which is not read"),
        (b"PAR1", "is Parquet, which is not read"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
        (b"Rar!\x1a\x07\x01", "is a RAR archive"),
        ("\ufeff".encode("utf-16-le") + HEADER.decode().encode("utf-16-le"), "is UTF-16"),
        ("\ufeff".encode("utf-16-be") + HEADER.decode().encode("utf-16-be"), "is UTF-16"),
        (HEADER.replace(b"price,", b"") + b"\n", r"cannot be read: its header names no column price$"),
    ],
)
def test_a_file_of_another_kind_is_told_by_name(tmp_path: Path, begin: bytes, message: str) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(begin)
    with pytest.raises(EventFileError, match=rf"other\.csv {message}"):
        rows_of(path)
