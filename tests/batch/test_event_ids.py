from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from app.batch.event_ids import FIRST_BYTES, Ids, read_ids, write_ids
from app.batch.folder import Folder

HALVES = st.sampled_from([bytes(8), b"\xff" * 8, b"\x00" * 7 + b"\x01", b"\x80" + bytes(7), b"\x7f" + b"\xff" * 7])
IDS = st.lists(st.one_of(st.tuples(HALVES, HALVES).map(b"".join), st.binary(min_size=16, max_size=16)), max_size=40)


def column(ids: list[bytes]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(ids, pa.binary())])


@given(IDS)
def test_repeats_are_all_places_but_the_first_of_each_id(ids: list[bytes]) -> None:
    expected = [place for place, id_ in enumerate(ids) if id_ in ids[:place]]
    assert Ids.of(column(ids)).repeats().tolist() == expected


def test_ids_of_a_slice_are_those_of_the_slice() -> None:
    ids = [bytes([i]) * 16 for i in range(5)]
    whole, part = Ids.of(column(ids)), Ids.of(column(ids).slice(2, 2))
    assert part.high.tolist() == whole.high[2:4].tolist()
    assert part.low.tolist() == whole.low[2:4].tolist()


@given(ids=IDS.map(lambda ids: list(dict.fromkeys(ids))), cuts=st.lists(st.integers(0, FIRST_BYTES), max_size=4))
def test_shares_of_a_file_give_each_id_once_with_its_place(ids: list[bytes], cuts: list[int]) -> None:

    bounds = sorted({0, FIRST_BYTES, *cuts})
    with TemporaryDirectory() as name:
        folder = Folder(name)
        write_ids(folder, "part.ids", Ids.of(column(ids)))
        found = {}
        for first, last in pairwise(bounds):
            own, places = read_ids(folder, "part.ids", first, last)
            for high, low, place in zip(own.high.tolist(), own.low.tolist(), places.tolist(), strict=True):
                id_ = high.to_bytes(8, "big") + low.to_bytes(8, "big")
                assert first <= id_[0] < last
                assert place not in found
                found[place] = id_
    assert found == dict(enumerate(ids))


def test_a_file_of_ids_is_written_the_same_twice(tmp_path: Path) -> None:
    ids = Ids.of(column([bytes([i * 7 % 256]) * 16 for i in range(100)]))
    folder = Folder(str(tmp_path))
    write_ids(folder, "a.ids", ids)
    write_ids(folder, "b.ids", ids)
    assert (tmp_path / "a.ids").read_bytes() == (tmp_path / "b.ids").read_bytes()
