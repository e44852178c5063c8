"""A ledger that does not add up says by how much."""

from pathlib import Path

import pytest

from app.events.ledger import Ledger, LedgerError, read_ledgers, write_ledgers


def test_a_ledger_that_adds_up_is_returned() -> None:
    ledger = Ledger(read=10, stored=7, duplicates=2, bad=1)
    assert ledger.check() is ledger


@pytest.mark.parametrize(("read", "words"), [(1_010, "1,000 rows are missing"), (9, "1 rows too many")])
def test_a_ledger_that_does_not_add_up_says_by_how_much(read: int, words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        Ledger(read, stored=7, duplicates=2, bad=1).check("stream run")


def test_ledgers_add_up_by_column() -> None:
    assert Ledger(3, 1, 1, 1) + Ledger(2, 2, 0, 0) == Ledger(5, 3, 1, 1)


def test_ledgers_are_read_as_they_were_written(tmp_path: Path) -> None:
    ledgers = {"stream": Ledger(3, 1, 1, 1), "batch": Ledger(0, 0, 0, 0)}
    write_ledgers(ledgers, tmp_path / "ledger.json")
    assert read_ledgers(tmp_path / "ledger.json") == ledgers
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.json"]
