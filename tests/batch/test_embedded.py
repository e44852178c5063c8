from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.batch.errors import SettingsError, StoreBusyError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, SourceCounts
from app.batch.stores import Run
from app.batch.stores.embedded import EmbeddedStore
from app.events.ledger import Ledger, LedgerError

NO_SPARK: Any = None


def ingested(folder: Path, events: int, bad: int = 1) -> Ingested:
    """Staged files, and what the job says of them; their content does not matter here."""
    staging = Folder(str(folder / f"staging-{events}-{bad}"))
    staging.make("events", "bad_events")
    if events:
        staging.write_table("events/event_date=2019-10-01/part.parquet", pa.table({"x": range(events)}))
    if bad:
        staging.write_table("bad_events/part.parquet", pa.table({"x": range(bad)}))
    return Ingested(staging, (SourceCounts("events.csv", 1, events + bad, events, 0, bad),))


def write(store: EmbeddedStore, folder: Path, events: int) -> Ledger:
    store.open(Run.begin())
    staged = ingested(folder, events)
    stored = store.write_events(NO_SPARK, staged)
    assert (stored.events, stored.bad_events) == (events, 1)
    store.write_answer("how_many", pa.table({"events": [events], "event_date": [date(2019, 10, 1)]}))
    ledger = Ledger(events + 1, events, 0, 1)
    store.write_ledger(ledger, staged, {})
    return ledger


def shown(out: Path) -> int:
    """The one number of what the store shows, the same wherever one looks."""
    (answer,) = pq.read_table(out / "answers" / "how_many.parquet")["events"].to_pylist()
    with duckdb.connect(out / "batch.duckdb", read_only=True) as database:
        assert database.execute("SELECT events FROM how_many").fetchall() == [(answer,)]
        assert database.execute("SELECT stored FROM ledger").fetchall() == [(answer,)]
        assert database.execute("SELECT path, rows, events FROM sources").fetchall() == [
            ("events.csv", answer + 1, answer)
        ]
        assert database.execute("SELECT count(*) FROM runs WHERE finished_at >= started_at").fetchall() == [(1,)]
    assert sum(pq.read_metadata(file).num_rows for file in (out / "events").rglob("*.parquet")) == answer
    return int(answer)


def test_a_committed_run_is_shown_as_parquet_and_in_duckdb(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "out")
    ledger = write(store, tmp_path, 3)
    store.verify(ledger)
    store.commit()
    store.close()
    assert shown(tmp_path / "out") == 3


def test_a_run_that_is_not_committed_shows_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    store = EmbeddedStore(out)
    write(store, tmp_path, 3)
    assert not (out / "answers").exists()
    store.close()
    assert not list((out / "runs").iterdir())


def test_the_run_before_is_shown_until_the_next_is_committed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    store = EmbeddedStore(out)
    write(store, tmp_path, 3)
    store.commit()
    store.close()
    write(store, tmp_path, 4)
    assert shown(out) == 3
    store.commit()
    assert shown(out) == 4
    store.close()
    assert len(list((out / "runs").iterdir())) == 1


def test_what_a_killed_run_left_is_removed_by_the_next_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    left = out / "runs" / Run(Run.begin().id, datetime.now(UTC)).id
    (left / "events").mkdir(parents=True)
    own = out / "runs" / "of the user"
    own.mkdir()
    store = EmbeddedStore(out)
    store.open(Run.begin())
    store.close()
    assert not left.exists()
    assert own.exists()


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    first, second = EmbeddedStore(tmp_path / "out"), EmbeddedStore(tmp_path / "out")
    ledger = write(first, tmp_path, 3)
    with pytest.raises(StoreBusyError, match="another run"):
        second.open(Run.begin())
    second.close()
    first.verify(ledger)
    first.commit()
    first.close()
    assert shown(tmp_path / "out") == 3


def test_a_file_lost_from_the_store_is_found_before_the_commit(tmp_path: Path) -> None:
    out = tmp_path / "out"
    store = EmbeddedStore(out)
    ledger = write(store, tmp_path, 3)
    next((out / "runs").rglob("part.parquet")).unlink()
    with pytest.raises(LedgerError, match="the store holds"):
        store.verify(ledger)
    store.close()


def test_a_folder_with_somebody_elses_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "mine.csv").write_text("mine")
    store = EmbeddedStore(tmp_path)
    with pytest.raises(SettingsError, match="already has events"):
        store.open(Run.begin())
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["events"]
    assert (tmp_path / "events" / "mine.csv").read_text() == "mine"
