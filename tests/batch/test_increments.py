"""Files added and replaced in steps leave what one run over all of them leaves. Without Spark: its tasks run here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.batch.base import Base, Source, read_base, write_base
from app.batch.errors import BatchError, SettingsError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.loading import ledger_of
from app.batch.progress import Progress
from app.events.csv_codec import decode
from app.events.files import describe
from app.events.ledger import Ledger
from tests.batch.staged import Here as Here

NOW = datetime(2019, 11, 1, tzinfo=UTC)


@dataclass
class Shop:
    """Event files by name, and the runs over them."""

    root: Path
    base: Base | None = None
    runs: int = 0
    files: dict[str, list[bytes]] = field(default_factory=dict)

    def run(self, named: Sequence[str], *, add: bool, replaced: Sequence[str] = ()) -> Ingested:
        self.runs += 1
        folder = Folder(str(self.root / f"run-{self.runs}"))
        found = ingest(
            Here(at_once=3),
            [describe(str(self.root / name)) for name in named],
            folder,
            split_bytes=150,
            ingest_time=NOW,
            progress=Progress(),
            base=self.base if add else None,
            replaced=[str(self.root / name) for name in replaced],
        )
        base = Base(
            f"run {self.runs}", "", folder.root, tuple(Source(s.path, s.size) for s in found.sources), found.parts
        )
        write_base(str(self.root), base)
        self.base = read_base(str(self.root), "")
        assert self.base == base
        return found

    def write(self, name: str, rows: Sequence[bytes]) -> None:
        self.files[name] = list(rows)
        (self.root / name).write_bytes(b"".join(row + b"\n" for row in rows))


def row(number: int) -> bytes:
    if number % 7 == 0:
        return b"no event %d" % number
    return b"2019-10-%02d 12:00:00 UTC,view,%d,2053013555631882655,,apple,9.90,1,s" % (1 + number % 3, number)


def events(ingested: Ingested) -> list[dict[str, Any]]:
    return rows_of(sorted(Path(ingested.folder.root, "events").rglob("*.parquet")), "event_id")


def rows_of(files: Sequence[Path], *keys: str) -> list[dict[str, Any]]:
    if not files:
        return []
    table = pa.concat_tables(pq.ParquetFile(file).read() for file in files)
    return list(table.sort_by([(key, "ascending") for key in keys]).to_pylist())


def bad_events(ingested: Ingested) -> list[dict[str, Any]]:
    return rows_of(sorted(Path(ingested.folder.root, "bad_events").rglob("*.parquet")), "source", "source_row")


NAMES = ("a.csv", "b.csv", "c.csv", "d.csv")
ROWS = st.lists(st.integers(1, 20).map(row), max_size=12)
STEPS = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(NAMES), ROWS, max_size=3), st.sets(st.sampled_from(NAMES), max_size=2)),
    max_size=4,
)


@settings(max_examples=60)
@given(first=st.dictionaries(st.sampled_from(NAMES), ROWS, min_size=1), steps=STEPS)
def test_any_steps_leave_what_one_run_over_the_files_that_are_left_leaves(
    first: dict[str, list[bytes]], steps: list[tuple[dict[str, list[bytes]], set[str]]]
) -> None:
    with TemporaryDirectory() as name:
        shop = Shop(Path(name))
        for file, rows in first.items():
            shop.write(file, rows)
        found = shop.run(list(first), add=False)
        for added, gone in steps:
            for file in gone & shop.files.keys():
                del shop.files[file]
            for file, rows in added.items():
                shop.write(file, rows)
            base = shop.base
            assert base
            known = {Path(source.path).name for source in base.sources}
            found = shop.run(list(added), add=True, replaced=sorted(gone & known))
        expected = shop.run(list(shop.files), add=False)
        assert events(found) == events(expected)
        assert bad_events(found) == bad_events(expected)
        assert ledger_of(found) == ledger_of(expected)
        assert {s.path: (s.rows, s.bad) for s in found.sources} == {s.path: (s.rows, s.bad) for s in expected.sources}


def test_an_event_of_a_replaced_file_stays_where_another_file_has_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write("a.csv", [row(1), row(2)])
    shop.write("b.csv", [row(2), row(3)])
    assert ledger_of(shop.run(["a.csv", "b.csv"], add=False)) == Ledger(4, 3, 1, 0)
    shop.write("a.csv", [row(4)])
    found = shop.run(["a.csv"], add=True)
    ids = {decode(row(i), source="").events["event_id"][0].as_py() for i in (2, 3, 4)}
    assert {event["event_id"] for event in events(found)} == ids
    assert ledger_of(found) == Ledger(3, 3, 0, 0)
    assert [(s.path, s.rows, s.events) for s in found.sources] == [
        (str(tmp_path / "b.csv"), 2, 2),
        (str(tmp_path / "a.csv"), 1, 1),
    ]


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write("a.csv", [row(i) for i in range(1, 15)])
    first = shop.run(["a.csv"], add=False)
    again = shop.run(["a.csv"], add=True)
    assert events(again) == events(first)
    assert ledger_of(again) == ledger_of(first)


def test_files_of_the_base_are_linked_not_copied(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.write("a.csv", [row(1)])
    shop.write("b.csv", [row(2)])
    first = shop.run(["a.csv"], add=False)
    second = shop.run(["b.csv"], add=True)
    (file,) = first.parts[0].event_files()
    assert Path(first.folder.path(file)).samefile(second.folder.path(file))


def test_a_staging_folder_may_be_moved(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "here")
    shop.root.mkdir()
    shop.write("a.csv", [row(1), row(2)])
    before = events(shop.run(["a.csv"], add=False))
    moved = Shop(shop.root.rename(tmp_path / "there"), runs=shop.runs)
    moved.base = read_base(str(moved.root), "")
    assert events(moved.run([], add=True)) == before


def test_a_base_is_of_one_folder_of_results(tmp_path: Path) -> None:
    write_base(str(tmp_path), Base("run", "/one/out", "", (), ()))
    with pytest.raises(SettingsError, match="keeps the events of /one/out; give each --out another"):
        read_base(str(tmp_path), "/another/out")


def test_a_base_that_cannot_be_understood_is_told(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text('{"run": 1}')
    with pytest.raises(BatchError, match=r"base\.json is not what this version.*delete it"):
        read_base(str(tmp_path), "")


def test_a_file_that_was_never_read_cannot_be_replaced(tmp_path: Path) -> None:
    base = Base("run", "", "", (Source("/events/a.csv", 1),), ())
    with pytest.raises(SettingsError, match=r"/events/b\.csv was not read before; these were: /events/a\.csv"):
        base.check_replaced(["/events/b.csv"])
