"""Several stores beside each other: one in trouble costs no other. Without Spark, which the embedded one needs not."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.batch.errors import BatchError, StoreBusyError, StoreError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, SourceCounts
from app.batch.loading import Loading, ledger_of, loading
from app.batch.stores import Run, Store
from app.batch.stores.embedded import EmbeddedStore
from app.events.ledger import Ledger, LedgerError, read_ledgers, read_not_loaded

NO_SPARK: Any = None
ANSWER = pa.table({"events": [3]})


@pytest.fixture
def staged(tmp_path: Path) -> Ingested:
    folder = Folder(str(tmp_path / "staging"))
    folder.write_table("events/event_date=2019-10-01/part.parquet", pa.table({"x": range(3)}))
    folder.write_table("bad_events/part.parquet", pa.table({"x": range(1)}))
    return Ingested(folder, (SourceCounts("events.csv", 1, 5, 3, 1, 1),))


def load(loads: Loading, ingested: Ingested) -> None:
    loads.begin_events(NO_SPARK, ingested)
    loads.begin_answer("how_many", ANSWER)
    loads.finish(ledger_of(ingested), ingested)


def stores(folder: Path, *names: str) -> dict[str, Store]:
    return {name: EmbeddedStore(folder / name) for name in names}


def shows(folder: Path) -> bool:
    return (folder / "answers" / "how_many.parquet").exists() and (folder / "ledger.json").exists()


class EndedStore(EmbeddedStore):
    """A store whose server goes away at a step, as a client library tells it."""

    def __init__(self, out: Path, step: str, error: Exception) -> None:
        super().__init__(out)

        def fail(*_: Any) -> None:
            raise error

        setattr(self, step, fail)


STEPS = ("open", "write_events", "write_answer", "write_ledger", "verify", "commit")


def test_every_store_shows_the_run(tmp_path: Path, staged: Ingested) -> None:
    with loading(stores(tmp_path, "first", "second"), Run.begin()) as loads:
        load(loads, staged)
        assert loads.not_loaded == {}
        assert set(loads.seconds) == {"first", "second"}
    for name in ("first", "second"):
        assert pq.read_table(tmp_path / name / "answers" / "how_many.parquet").equals(ANSWER)
        assert read_ledgers(tmp_path / name / "ledger.json") == {"batch": Ledger(5, 3, 1, 1)}
        assert "not_loaded" not in json.loads((tmp_path / name / "ledger.json").read_text())


@pytest.mark.parametrize("step", STEPS)
def test_a_store_that_fails_at_any_step_costs_no_other_and_their_ledgers_say_it(
    step: str, tmp_path: Path, staged: Ingested
) -> None:
    found: Mapping[str, Store] = {
        **stores(tmp_path, "first"),
        "ended": EndedStore(tmp_path / "ended", step, StoreError("ended at 10.0.0.1:3306; start it")),
        **stores(tmp_path, "last"),
    }
    with loading(found, Run.begin()) as loads:
        load(loads, staged)
        assert loads.not_loaded == {"ended": "ended at 10.0.0.1:3306; start it"}
    assert shows(tmp_path / "first")
    assert shows(tmp_path / "last")
    assert not shows(tmp_path / "ended")
    assert read_not_loaded(tmp_path / "first" / "ledger.json") == loads.not_loaded
    with duckdb.connect(tmp_path / "first" / "batch.duckdb", read_only=True) as database:
        assert database.execute("SELECT store, error FROM not_loaded").fetchall() == list(loads.not_loaded.items())


def test_an_error_that_a_store_does_not_explain_costs_no_other_either(tmp_path: Path, staged: Ingested) -> None:
    ended = EndedStore(tmp_path / "ended", "write_events", ConnectionResetError(104, "reset by peer"))
    with loading({**stores(tmp_path, "first"), "ended": ended}, Run.begin()) as loads:
        load(loads, staged)
        why = loads.not_loaded["ended"]
        assert why.startswith("ConnectionResetError: [Errno 104] reset by peer; ")
        assert "--add --stores ended" in why
    assert shows(tmp_path / "first")


def test_a_store_that_holds_other_numbers_than_were_written_fails(tmp_path: Path, staged: Ingested) -> None:
    wrong = Ingested(staged.folder, (SourceCounts("events.csv", 1, 6, 4, 1, 1),))
    with loading(stores(tmp_path, "only"), Run.begin()) as loads:
        with pytest.raises(LedgerError, match="it holds 3 events and 1 bad events, but 4 and 1 were written"):
            load(loads, wrong)
        assert loads.ledger_failed
    assert not shows(tmp_path / "only")


def test_counts_that_do_not_add_up_are_told_before_a_store_is_written(staged: Ingested) -> None:
    lost = Ingested(staged.folder, (SourceCounts("events.csv", 1, 6, 3, 1, 1),))
    with pytest.raises(LedgerError, match="1 rows are missing"):
        ledger_of(lost)


def test_where_no_store_can_be_opened_the_first_error_is_raised(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broken = stores(tmp_path / "file", "first", "second")
    with pytest.raises(BatchError, match="first cannot be written"), loading(broken, Run.begin()) as loads:
        loads.opened("first", "second")


def test_a_store_that_another_run_writes_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    other = EmbeddedStore(tmp_path / "second")
    other.open(Run.begin())
    with (
        loading(stores(tmp_path, "first", "second"), Run.begin()) as loads,
        pytest.raises(StoreBusyError, match="another run is writing to"),
    ):
        loads.opened("first", "second")
    other.close()
    assert not list((tmp_path / "first" / "runs").iterdir())


def test_a_run_that_ends_early_leaves_the_stores_as_they_were(tmp_path: Path, staged: Ingested) -> None:
    with suppress(ZeroDivisionError), loading(stores(tmp_path, "first"), Run.begin()) as loads:
        loads.begin_events(NO_SPARK, staged)
        raise ZeroDivisionError
    assert not shows(tmp_path / "first")
    assert not list((tmp_path / "first" / "runs").iterdir())
