"""The archive's objects: large enough to be few, never waiting for ever, and readable by the replayer."""

import re

import pytest

from app.events.csv_codec import decode
from app.events.files import read_blocks
from app.events.schema import RAW_COLUMNS
from tests.stream.shop import Message, Shop, blocks, generated

pytestmark = pytest.mark.integration


def rows_of(shop: Shop) -> list[bytes]:
    return sorted(row for data in shop.archived().values() for row in data.removesuffix(b"\n").split(b"\n"))


def good_rows(data: bytes) -> list[bytes]:
    decoded = decode(data, source="x")
    return sorted(decoded.text[index] for index in decoded.event_index.tolist())


def test_rows_are_archived_as_they_came_without_a_header_below_the_prefix(shop: Shop) -> None:
    data, _ = generated(500, bad=0.1, days=1)
    header = ",".join(RAW_COLUMNS).encode() + b"\n"
    quoted = b'2019-10-01 05:00:00 UTC,view,1,2,a.b,"x,y",1.5,3,s'
    shop.publish([*blocks(data), Message(header + quoted + b"\r\n", {})])
    shop.run("--shards=1")
    assert rows_of(shop) == sorted([*good_rows(data), quoted])
    names = list(shop.archived())
    assert len(names) <= 24
    assert all(re.fullmatch(r"2019-10-01/\d\d/[0-9a-f]{32}\.csv\.gz", name) for name in names)


def test_a_part_that_grows_large_is_written_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stream.archive.FILE_BYTES", 1)
    data, _ = generated(300, days=1)
    monkeypatch.setattr("app.stream.pull._BUNDLE_MESSAGES", 1)
    monkeypatch.setattr("app.stream.pull._PULL_MESSAGES", 1)
    shop.publish(blocks(data, rows=100))
    shop.run("--shards=1")
    hours = {name.rpartition("/")[0] for name in shop.archived()}
    assert len(shop.archived()) > len(hours)
    assert rows_of(shop) == good_rows(data)


def test_objects_can_be_read_like_any_event_file_from_below_a_prefix(shop: Shop) -> None:
    data, _ = generated(300, days=1)
    shop.publish(blocks(data))
    shop.run(f"--archive={shop.archive}/raw/2019")
    names = list(shop.archived())
    assert all(name.startswith("raw/2019/2019-10-01/") for name in names)
    found = [
        row
        for name in names
        for block in read_blocks(f"{shop.archive}/{name}")
        for row in block.data.split(b"\n")
        if row
    ]
    assert sorted(found) == good_rows(data)


def test_without_an_archive_nothing_is_archived(shop: Shop) -> None:
    shop.publish(blocks(generated(100, days=1)[0]))
    shop.run("--archive=")
    assert shop.count("event_log") == 100
    assert shop.archived() == {}
