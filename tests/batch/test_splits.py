from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from app.batch.splits import blocks_of, plan_splits
from app.events.files import EventFile, describe
from app.events.schema import RAW_COLUMNS

HEADER = ",".join(RAW_COLUMNS).encode()
ROWS = st.lists(st.binary(max_size=30).map(lambda row: row.replace(b"\n", b"").rstrip(b"\r")), max_size=40)
ENDS = st.sampled_from([b"\n", b"\r\n"])


def plain(*sizes: int) -> list[EventFile]:
    return [EventFile(f"{i}.csv", size, "1", is_packed=False) for i, size in enumerate(sizes)]


def test_splits_of_a_plain_file_adjoin_and_cover_it() -> None:
    splits = plan_splits(plain(250), 100)
    assert [(split.start, split.length) for split in splits] == [(0, 100), (100, 100), (200, 50)]


def test_splits_are_numbered_over_all_files_in_their_order() -> None:
    splits = plan_splits(plain(150, 0, 20), 100)
    assert [(split.number, split.source, split.path) for split in splits] == [
        (0, 0, "0.csv"),
        (1, 0, "0.csv"),
        (2, 2, "2.csv"),
    ]


def test_a_gzip_file_is_one_split_however_large() -> None:
    (split,) = plan_splits([EventFile("big.csv.gz", 10**12, "1", is_packed=True)], 100)
    assert split.length is None


@given(
    rows=ROWS,
    ends=st.lists(ENDS, min_size=1),
    header=st.booleans(),
    last_end=st.booleans(),
    size=st.integers(1, 400),
    block=st.integers(1, 100),
)
def test_every_row_is_in_exactly_one_split(
    rows: list[bytes], ends: list[bytes], header: bool, last_end: bool, size: int, block: int
) -> None:
    lines = [HEADER, *rows] if header else rows
    data = b"".join(line + ends[i % len(ends)] for i, line in enumerate(lines))
    if not last_end:
        data = data.rstrip(b"\r\n")
    expected = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    if not expected[-1]:
        expected.pop()
    if expected and expected[0] == HEADER:
        expected = expected[1:]
    with TemporaryDirectory() as folder:
        file = Path(folder, "events.csv")
        file.write_bytes(data)
        found: list[bytes] = []
        for split in plan_splits([describe(str(file))], size):
            count = 0
            for part in blocks_of(split, 7, block):
                cut = part.data.split(b"\n")
                own = cut if cut[-1] else cut[:-1]
                assert (part.first_row, part.rows) == (count + 1, len(own))
                count += part.rows
                found += [row.removesuffix(b"\r") for row in own]
    assert found == expected
