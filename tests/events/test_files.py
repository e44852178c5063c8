"""Event files give every row once, in order and numbered, whatever holds them."""

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.events.csv_codec import decode
from app.events.files import (
    Block,
    EventFileError,
    describe,
    expand,
    open_rows,
    read_blocks,
    read_range,
)
from app.events.packings import packing_of
from app.events.row_blocks import LONG_ROW_BYTES
from app.events.schema import MAX_ROW_BYTES, RAW_COLUMNS
from app.gcp.clients import storage_client
from app.local.gcs import gcs_emulator

HEADER = ",".join(RAW_COLUMNS).encode()
ROW = b"2019-10-01 00:00:%02d UTC,view,%d,2053013555631882655,electronics.smartphone,apple,9.90,512,s"


def rows(count: int) -> list[bytes]:
    return [ROW % (i % 60, i) for i in range(count)]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def checked(blocks: Iterator[Block], *, first_row: int = 1) -> list[Block]:
    """The blocks, which must be numbered without a gap and adjoin."""
    found = list(blocks)
    for before, after in pairwise(found):
        assert after.first_row == before.first_row + before.rows
        assert after.offset == before.end
    assert not found or found[0].first_row == first_row
    return found


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("head", [b"", HEADER, b"\xef\xbb\xbf" + HEADER, b"\xef\xbb\xbf"])
def test_every_form_of_a_file_gives_the_same_rows(
    tmp_path: Path, name: str, end: bytes, last: bool, head: bytes
) -> None:
    mark_only = head == b"\xef\xbb\xbf"
    data = (head if mark_only or not head else head + end) + end.join(rows(1234)) + (end if last else b"")
    blocks = checked(read_blocks(write(tmp_path / name, data), 500))
    assert [block.rows for block in blocks] == [500, 500, 234]
    assert b"".join(block.data for block in blocks).split(end)[:1234] == rows(1234)


@pytest.mark.parametrize("data", [b"", HEADER, HEADER + b"\n", b"\xef\xbb\xbf" + HEADER + b"\r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["none.csv", "none.csv.gz"])
def test_a_file_without_rows_gives_no_block(tmp_path: Path, name: str, data: bytes) -> None:
    assert list(read_blocks(write(tmp_path / name, data))) == []


def test_the_kind_is_told_by_the_content_and_not_by_the_name(tmp_path: Path) -> None:
    packed = tmp_path / "packed.csv"
    packed.write_bytes(gzip.compress(b"\n".join(rows(3))))
    plain = tmp_path / "plain.csv.gz"
    plain.write_bytes(b"\n".join(rows(3)))
    for path in (packed, plain):
        (block,) = read_blocks(str(path))
        assert block.data.split(b"\n") == rows(3)


def test_a_gzip_file_of_many_members_and_padding_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "members.csv.gz"
    members = [gzip.compress(row + b"\n") for row in rows(50)]
    path.write_bytes(b"".join(members[:25]) + gzip.compress(b"") + b"".join(members[25:]) + b"\0" * 1000)
    assert b"".join(block.data for block in read_blocks(str(path), 7)).splitlines() == rows(50)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_header_between_rows_is_no_row_wherever_blocks_and_ranges_are_cut(
    tmp_path: Path, mark: bytes, end: bytes
) -> None:
    lines = [HEADER, *rows(3), mark + HEADER, mark + HEADER, *rows(3), HEADER, b"", *rows(2), HEADER]
    data = end.join(lines) + end
    path = write(tmp_path / "joined.csv", data)
    kept = [*rows(3), *rows(3), b"", *rows(2)]
    for size in (1, 2, 3, 500):
        blocks = list(read_blocks(path, size))
        assert [row for block in blocks for row in block.data.split(end)[:-1]] == kept
        assert [block.first_row for block in blocks] == [
            1 + sum(b.rows for b in blocks[:i]) for i in range(len(blocks))
        ]
        assert sum(block.rows for block in blocks) == len(kept)
        for i, block in enumerate(blocks):
            assert (
                list(read_blocks(path, size, first_row=block.first_row + block.rows, offset=block.end))
                == blocks[i + 1 :]
            )
    for step in (1, 7, 50, 100, 10_000):
        ranges = [block for start in range(0, len(data), step) for block in read_range(path, start, step, 2)]
        assert [row for block in ranges for row in block.data.split(end)[:-1]] == kept


def test_a_header_of_other_columns_between_rows_ends_the_file_with_an_error(tmp_path: Path) -> None:
    other = b",".join(reversed(HEADER.split(b",")))
    data = b"\n".join([HEADER, *rows(3), other, *rows(3)])
    path = write(tmp_path / "joined.csv", data)
    place = data.index(other)
    for blocks in (read_blocks(path, 2), read_range(path, 0, 10_000, 2)):
        found: list[Block] = []
        with pytest.raises(EventFileError, match=rf"second header at byte {place}\b"):
            found.extend(blocks)
        assert sum(block.rows for block in found) == 3


def test_a_block_has_at_most_the_bytes_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", b"\n".join(rows(2000)))
    blocks = checked(read_blocks(path, 500, 1000))
    assert max(len(block.data) for block in blocks) <= 1000
    assert min(len(block.data) for block in blocks[:-1]) > 1000 - 110
    assert sum(block.rows for block in blocks) == 2000


def test_a_row_over_the_bytes_asked_for_is_a_block_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv", b"a\n" + b"b" * 5000 + b"\nc\n")
    assert [block.data[:1] for block in read_blocks(path, 500, 100)] == [b"a", b"b", b"c"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.lists(
        st.one_of(
            st.binary(max_size=20).map(lambda row: row.replace(b"\n", b"")),
            st.integers(0, 3 * LONG_ROW_BYTES).map(lambda size: b"x" * size),
        ),
        max_size=8,
    ),
    last=st.sampled_from([b"", b"\n"]),
    size=st.integers(1, 4),
)
@example(body=[b"", b"\xef\xbb\xbf"], last=b"", size=1)
def test_blocks_and_ranges_lose_and_repeat_nothing(tmp_path: Path, body: list[bytes], last: bytes, size: int) -> None:
    data = b"\n".join(body) + last
    data = b"-" + data if packing_of(data) or data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) else data
    path = write(tmp_path / "any.csv", data)
    blocks = checked(read_blocks(path, size))
    assert b"".join(block.data for block in blocks) == data
    # what ends without a line feed is the end of the file, or a part of a row that is no event in any of its parts
    for block in blocks[:-1]:
        assert block.data.endswith(b"\n") or len(block.data.split(b"\n")[-1]) > MAX_ROW_BYTES
    assert [block.rows for block in blocks] == [decode(block.data, source="", first_row=2).rows for block in blocks]
    step = len(data) // 5 + 1
    ranges = [block for start in range(0, len(data), step) for block in read_range(path, start, step, size)]
    assert b"".join(block.data for block in ranges) == data
    assert sum(block.rows for block in ranges) == sum(block.rows for block in blocks)


@pytest.mark.parametrize("size", [LONG_ROW_BYTES + MAX_ROW_BYTES, 2 * LONG_ROW_BYTES + 5, 9 * LONG_ROW_BYTES + 7])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_row_of_any_length_becomes_bad_rows_in_bounded_blocks(tmp_path: Path, size: int, end: bytes) -> None:
    path = write(tmp_path / "long.csv", ROW % (0, 1) + b"\n" + b"y" * size + end + (ROW % (0, 2) if end else b""))
    blocks = checked(read_blocks(path, 100))
    assert max(len(block.data) for block in blocks) <= LONG_ROW_BYTES + MAX_ROW_BYTES + 200
    decoded = [decode(block.data, source=path, first_row=block.first_row) for block in blocks]
    assert sum(len(one.events) for one in decoded) == (2 if end else 1)
    reasons = {reason for one in decoded for reason in one.bad.column("reason").to_pylist()}
    assert reasons == {"row_too_long"}
    assert sum(len(raw) for one in decoded for raw in one.bad.column("raw").to_pylist()) == size


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_reading_continues_after_any_block(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, HEADER + b"\r\n" + b"\r\n".join(rows(90)))
    blocks = checked(read_blocks(path, 20))
    for i, block in enumerate(blocks):
        rest = read_blocks(path, 20, first_row=block.first_row + block.rows, offset=block.end)
        assert list(rest) == blocks[i + 1 :]


def test_a_place_after_the_end_of_a_gzip_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "events.csv.gz", b"\n".join(rows(9)))
    with pytest.raises(EventFileError, match="is it the same file"):
        list(read_blocks(path, offset=10**9))


def test_gzip_that_is_cut_short_gives_its_rows_and_then_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(rows(100_000)))
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found: list[bytes] = []
    with pytest.raises(EventFileError, match=r"cut\.csv\.gz ends in the middle"):
        found.extend(row for block in read_blocks(str(path), 500) for row in block.data.splitlines())
    assert 30_000 < len(found) < 100_000
    assert found == rows(len(found))


def test_gzip_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"\n".join(rows(100_000))))
    packed[-6] ^= 0xFF  # in the checksum
    path = tmp_path / "damaged.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(EventFileError, match="damaged"):
        list(read_blocks(str(path)))


def test_gzip_cannot_be_read_by_ranges(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="cannot be read by ranges"):
        list(read_range(write(tmp_path / "events.csv.gz", b"a"), 0, 1))


def test_a_missing_path_and_a_folder_are_errors_that_name_them(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"nowhere\.csv does not exist"):
        expand([str(tmp_path / "nowhere.csv")])
    with pytest.raises(EventFileError, match="is a directory; name the files in it"):
        expand([str(tmp_path)])
    with pytest.raises(EventFileError, match="no file matches"):
        expand([str(tmp_path / "*.csv")])
    with pytest.raises(EventFileError, match="does not exist"):
        open_rows(str(tmp_path / "nowhere.csv"))


@pytest.mark.skipif(os.geteuid() == 0, reason="unavoidable: root may read every file")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.csv", b"a")
    Path(path).chmod(0)
    with pytest.raises(EventFileError, match="cannot be read: Permission denied"):
        expand([path])


def test_paths_keep_their_order_and_globs_come_by_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c[1].csv", "d.txt"):
        write(tmp_path / name, b"")
    found = expand([str(tmp_path / "d.txt"), str(tmp_path / "*.csv"), str(tmp_path / "c[1].csv")])
    assert [Path(path).name for path in found] == ["d.txt", "a.csv", "b.csv", "c[1].csv", "c[1].csv"]


def test_the_description_changes_with_the_file(tmp_path: Path) -> None:
    before = describe(write(tmp_path / "events.csv", b"\n".join(rows(2))))
    after = describe(write(tmp_path / "events.csv", gzip.compress(b"\n".join(rows(2)))))
    assert (before.size, before.is_packed, after.is_packed) == (len(b"\n".join(rows(2))), False, True)
    assert before != after


@pytest.mark.integration
@pytest.mark.parametrize("packed", [False, True])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "big.csv"
    part = b"\n".join(rows(100_000)) + b"\n"
    with path.open("wb") as file:
        for _ in range(15):  # 145 MB
            file.write(gzip.compress(part, 1) if packed else part)
    code = (
        "import resource, sys; from app.events.files import read_blocks\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak(); rows = sum(block.rows for block in read_blocks(sys.argv[1])); print(rows, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 1_500_000
    assert kilobytes < 60_000


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with gcs_emulator() as emulator, pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        yield emulator.create_bucket("events")


def upload(url: str, data: bytes, **metadata: str) -> None:
    bucket, _, name = url.removeprefix("gs://").partition("/")
    blob = storage_client().bucket(bucket).blob(name)
    for key, value in metadata.items():
        setattr(blob, key, value)
    blob.upload_from_file(io.BytesIO(data))


@pytest.mark.integration
class TestCloudStorage:
    def test_an_object_larger_than_a_request_is_read_whole(self, bucket: str) -> None:
        data = b"\n".join([HEADER, *rows(200_000)])
        upload(f"{bucket}/plain/big.csv", data)
        blocks = checked(read_blocks(f"{bucket}/plain/big.csv", 500))
        assert b"".join(block.data for block in blocks) == data[len(HEADER) + 1 :]
        middle = blocks[200]
        rest = read_blocks(f"{bucket}/plain/big.csv", first_row=middle.first_row, offset=middle.offset)
        assert next(rest) == middle

    def test_ranges_of_an_object_give_each_row_once(self, bucket: str) -> None:
        data = b"\n".join([HEADER, *rows(3000)])
        upload(f"{bucket}/ranges.csv", data)
        parts = [read_range(f"{bucket}/ranges.csv", start, 40_000) for start in range(0, len(data), 40_000)]
        assert b"".join(block.data for part in parts for block in part) == b"\n".join(rows(3000))

    @pytest.mark.parametrize("metadata", [{}, {"content_encoding": "gzip"}])
    def test_a_gzip_object_is_unpacked_once(self, bucket: str, metadata: dict[str, str]) -> None:
        upload(f"{bucket}/packed.csv.gz", gzip.compress(b"\n".join(rows(3000))), **metadata)
        blocks = checked(read_blocks(f"{bucket}/packed.csv.gz"))
        assert b"".join(block.data for block in blocks).split(b"\n") == rows(3000)

    def test_an_empty_object_gives_no_block(self, bucket: str) -> None:
        upload(f"{bucket}/empty.csv", b"")
        assert list(read_blocks(f"{bucket}/empty.csv")) == []

    def test_prefixes_and_globs_are_expanded(self, bucket: str) -> None:
        for name in ("2019-Nov.csv", "2019-Oct.csv", "deeper/2019-Dec.csv"):
            upload(f"{bucket}/months/{name}", b"")
        names = ["2019-Nov.csv", "2019-Oct.csv"]
        assert expand([f"{bucket}/months/2019-*.csv"]) == [f"{bucket}/months/{name}" for name in names]
        assert expand([f"{bucket}/months/"]) == [f"{bucket}/months/{name}" for name in [*names, "deeper/2019-Dec.csv"]]

    @pytest.mark.parametrize("url", ["{}/nothing.csv", "{}/nothing/", "{}/nothing*", "{}-other/a.csv", "{}-other/"])
    def test_what_is_not_there_is_an_error_that_names_it(self, bucket: str, url: str) -> None:
        with pytest.raises(EventFileError, match=r"nothing|other"):
            expand([url.format(bucket)])

    def test_an_object_that_is_removed_while_it_is_read_is_an_error(self, bucket: str) -> None:
        url = f"{bucket}/removed.csv"
        upload(url, b"\n".join(rows(300_000)))
        blocks = read_blocks(url)
        next(blocks)
        storage_client().bucket("events").delete_blob("removed.csv")
        with pytest.raises(EventFileError, match=r"removed\.csv does not exist"):
            list(blocks)
