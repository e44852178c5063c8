"""Parts and repeats without Spark: the tasks are called as Spark calls them, and compared with a plain reading."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.batch import parts as parts_module
from app.batch.folder import Folder
from app.batch.parts import Part, read_split
from app.batch.repeats import Finish, find_repeats, finish_part, plan_shares
from app.batch.splits import plan_splits
from app.events.csv_codec import HEADER, decode
from app.events.files import describe
from app.events.schema import BAD_EVENTS
from app.events.time_bounds import ANY_TIME, DEFAULT_DAYS, TimeBounds

NOW = int(datetime(2019, 11, 1, tzinfo=UTC).timestamp() * 1_000_000)
BOUNDS = DEFAULT_DAYS.at(NOW)


def row(i: int) -> bytes:
    day, second = 1 + i % 9, i % 60
    return b"2019-10-%02d 12:00:%02d UTC,view,%d,2053013555631882655,,apple,9.90,%d,session-%d" % (
        day,
        second,
        i + 1,
        i + 1,
        i,
    )


def rows(seed: int, count: int) -> list[bytes]:
    """Events in no order, a third of them repeated and a tenth bad."""
    chance = random.Random(seed)
    return [b"bad,%d" % i if chance.random() < 0.1 else row(chance.randrange(count)) for i in range(count)]


def ingest(files: list[Path], folder: Folder, split_bytes: int, shares: int, bounds: TimeBounds = BOUNDS) -> list[Part]:
    parts = [
        part
        for split in plan_splits([describe(str(file)) for file in files], split_bytes)
        for part in read_split(split, folder, NOW, bounds)
    ]
    own = [part for part in parts if part.events]
    found = {share.number: find_repeats(share, own, folder) for share in plan_shares(1, shares)}
    for part in parts:
        before = sum(
            p.rows for p in parts if p.source == part.source and (p.split, p.number) < (part.split, part.number)
        )
        hit = [n for n, counts in found.items() if part in own and own.index(part) in counts]
        expected = sum(found[n][own.index(part)] for n in hit)
        finish = Finish(part, before, tuple(hit))
        finished = finish_part(finish, folder)
        assert (finished.repeats, finished.events) == (expected, part.events - expected)
        assert finish_part(finish, folder) == finished  # as after a lost answer
    return parts


def published(folder: Folder, name: str) -> pa.Table:
    files = sorted(Path(folder.root, name).rglob("*.parquet"))
    return pa.concat_tables(pq.ParquetFile(file).read() for file in files)


@pytest.mark.parametrize(("split_bytes", "part_bytes", "shares"), [(900, 1 << 20, 3), (10**6, 700, 1), (300, 200, 256)])
def test_events_are_kept_once_and_bad_rows_with_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split_bytes: int, part_bytes: int, shares: int
) -> None:
    monkeypatch.setattr(parts_module, "PART_BYTES", part_bytes)
    monkeypatch.setattr(parts_module, "_BLOCK_ROWS", 3)
    contents = [rows(1, 80), rows(2, 80)]
    files = []
    for i, content in enumerate(contents):
        files.append(tmp_path / f"{i}.csv")
        files[-1].write_bytes(b"\n".join(content) + b"\n")
    folder = Folder(str(tmp_path / "staging"))
    parts = ingest(files, folder, split_bytes, shares)

    expected = {line for content in contents for line in content if not line.startswith(b"bad")}
    events = published(folder, "events")
    ids = {id_ for line in expected for id_ in decode(line, source="").events.column("event_id").to_pylist()}
    assert len(events) == len(expected)
    assert set(events.column("event_id").to_pylist()) == ids
    bad = published(folder, "bad_events")
    assert bad.schema.equals(BAD_EVENTS)
    assert sorted(
        zip(bad["source"].to_pylist(), bad["source_row"].to_pylist(), bad["raw"].to_pylist(), strict=True)
    ) == [
        (str(file), number, line)
        for file, content in zip(files, contents, strict=True)
        for number, line in enumerate(content, 1)
        if line.startswith(b"bad")
    ]
    assert sum(part.rows for part in parts) == 160
    assert all(part.rows == part.events + part.duplicates + part.bad for part in parts)


def test_events_are_in_the_folder_of_their_day_in_utc(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    times = ["1960-02-29 23:59:59", "2019-10-01 00:00:00", "2019-10-01 23:59:59.999999", "0001-01-01 00:00:00"]
    file.write_text("".join(f"{time} UTC,view,1,2,,,1.00,3,s\n" for time in times))
    folder = Folder(str(tmp_path / "staging"))
    ingest([file], folder, 1 << 20, 1, ANY_TIME)
    found = {
        path.parent.name: sorted(str(time)[:10] for time in pq.ParquetFile(path).read()["event_time"].to_pylist())
        for path in Path(folder.root, "events").rglob("*.parquet")
    }
    assert found == {
        "event_date=0001-01-01": ["0001-01-01"],
        "event_date=1960-02-29": ["1960-02-29"],
        "event_date=2019-10-01": ["2019-10-01", "2019-10-01"],
    }


@pytest.mark.parametrize("split_bytes", [1 << 20, 150, 40])
def test_headers_of_files_that_were_joined_are_no_rows(tmp_path: Path, split_bytes: int) -> None:
    file = tmp_path / "events.csv"
    file.write_bytes(b"\n".join([HEADER, row(1), HEADER, HEADER, row(2), HEADER, b"bad", b""]))
    folder = Folder(str(tmp_path / "staging"))
    parts = ingest([file], folder, split_bytes, 1)
    assert [sum(counts) for counts in zip(*((part.rows, part.events, part.bad) for part in parts), strict=True)] == [
        3,
        2,
        1,
    ]
    bad = [folder.read_table(part.bad_file).to_pylist() for part in parts if part.bad]
    assert [one["source_row"] for found in bad for one in found] == [3]


def test_columns_in_another_order_and_times_out_of_bounds(tmp_path: Path) -> None:
    names = HEADER.split(b",")
    lines = [row(1), row(2).replace(b"2019-", b"0019-"), row(3)]
    turned = [b";".join(reversed(line.split(b","))) for line in (b",".join(names), *lines)]
    file = tmp_path / "events.csv"
    file.write_bytes(b"\r\n".join(turned))
    folder = Folder(str(tmp_path / "staging"))
    parts = ingest([file], folder, 200, 1)
    assert len(parts) > 1
    assert [sum(counts) for counts in zip(*((part.rows, part.events, part.bad) for part in parts), strict=True)] == [
        3,
        2,
        1,
    ]
    (bad,) = [folder.read_table(part.bad_file).to_pylist() for part in parts if part.bad]
    assert [(one["reason"], one["raw"], one["source_row"]) for one in bad] == [("implausible_time", turned[2], 2)]


def test_of_identical_rows_the_first_in_the_order_of_files_stays(tmp_path: Path) -> None:
    files = [tmp_path / "b.csv", tmp_path / "a.csv"]
    for file in files:
        file.write_bytes(row(1) + b"\n")
    folder = Folder(str(tmp_path / "staging"))
    ingest(files, folder, 1 << 20, 2)
    (kept,) = Path(folder.root, "events").rglob("*.parquet")
    assert kept.name == "part-00000-0000.parquet"
