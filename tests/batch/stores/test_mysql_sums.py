"""Sums of parts, put together, against DuckDB's sums of all rows at once; without Spark and without a server."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.batch.answers import make_facts
from app.batch.base import Base, Source
from app.batch.duck_facts import folder_of
from app.batch.errors import BatchError
from app.batch.folder import Folder
from app.batch.ingest import Ingested, ingest
from app.batch.loading import ledger_of
from app.batch.progress import Progress
from app.batch.stores.mysql.sums import KEPT_BAD_EVENTS, sum_up
from app.batch.stores.mysql.tables import TABLES
from app.events.csv_codec import HEADER
from app.events.files import describe
from app.events.generator import Settings as Generated
from app.events.generator import generate
from tests.batch.stores.mysql_loads import VISITORS, Here, events_of, in_order

_SPLIT_BYTES = 200_000
_ACTS = (("23:49:59", "a"), ("23:54:59", "a"), ("23:50:00", "b"), ("23:55:00", "b"))


def write(file: Path, seed: int, bad: float = 0.2) -> Path:
    file.write_bytes(b"".join(generate(Generated(events=8_000, seed=seed, days=2, bad=bad))))
    return file


def staged(folder: Path, files: list[Path], base: Base | None = None) -> Ingested:
    ingested = ingest(
        Here(),
        [describe(str(file)) for file in files],
        Folder(str(folder)),
        split_bytes=_SPLIT_BYTES,
        ingest_time=datetime(2019, 12, 1, tzinfo=UTC),
        progress=Progress(None),
        base=base,
    )
    make_facts(Here(), ingested)
    return ingested


def summed(ingested: Ingested, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows for each table, in order."""
    found = {}
    result = sum_up(Here(), ingested, "run", Folder(str(folder)))
    for name in result.tables:
        tables = [pq.read_table(file) for file in sorted((folder / name).glob("*.parquet"))]
        assert all(table.schema.equals(TABLES[name].schema) for table in tables)
        rows = pa.concat_tables(tables).to_pylist() if tables else []
        found[name] = sorted(rows, key=repr)
    assert sum(row["started"] for row in found["visitors"]) == result.sessions
    return found


def test_what_a_run_has_no_sessions_of_is_not_taken_for_none(tmp_path: Path) -> None:
    ingested = staged(tmp_path / "staging", [write(tmp_path / "1.csv", 1)])
    ingested.folder.below(folder_of("sessions")).remove()
    with pytest.raises(BatchError, match="has no facts/sessions: make its facts"):
        sum_up(Here(), ingested, "run", Folder(str(tmp_path / "sums")))


def test_many_parts_give_the_sums_of_one(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{seed}.csv", seed) for seed in (1, 2)]
    many = staged(tmp_path / "many", files)
    assert len(many.parts) > 10
    found = summed(many, tmp_path / "sums")
    ledger = ledger_of(many)
    assert sum(row["events"] for row in found["activity"]) == ledger.stored
    assert sum(row["events"] for row in found["bad_event_counts"]) == ledger.bad
    kept = Counter(row["reason"] for row in found["bad_events"])
    counted: Counter[str] = Counter()
    for row in found["bad_event_counts"]:
        counted[row["reason"]] += row["events"]
    assert kept == {reason: min(count, KEPT_BAD_EVENTS) for reason, count in counted.items()}
    assert max(counted.values()) > KEPT_BAD_EVENTS
    with events_of(many) as database:
        visitors = database.execute(VISITORS).fetchall()
    assert in_order(tuple(row.values()) for row in found["visitors"]) == in_order(visitors)
    for name, key in (("activity", ("time", "id")), ("bad_events", ("reason", "number"))):
        keys = [tuple(row[column] for column in key) for row in found[name]]
        assert len(set(keys)) == len(keys), name


def test_a_session_is_active_from_its_first_five_minutes_to_its_last(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    lines = [f"2019-10-01 {time} UTC,view,1,1,,,1.00,1,{session}" for time, session in _ACTS]
    file.write_text("\n".join([HEADER.decode(), *lines, ""]))
    found = summed(staged(tmp_path / "staging", [file]), tmp_path / "sums")["visitors"]
    assert [(f"{row['time']:%H:%M}", row["sessions"], row["started"]) for row in found] == [
        ("23:45", 1, 1),
        ("23:50", 2, 1),
        ("23:55", 1, 0),
    ]


def test_a_file_that_is_added_gives_the_sums_of_both_read_together(tmp_path: Path) -> None:
    first, second = write(tmp_path / "1.csv", 1), write(tmp_path / "2.csv", 2)
    before = staged(tmp_path / "before", [first])
    base = Base("before", "", before.folder.root, tuple(Source(s.path, s.size) for s in before.sources), before.parts)
    added = staged(tmp_path / "added", [second], base)
    together = staged(tmp_path / "together", [first, second])
    assert summed(added, tmp_path / "a") == summed(together, tmp_path / "b")


def test_no_events_give_no_rows(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    found = summed(staged(tmp_path / "staging", [tmp_path / "empty.csv"]), tmp_path / "sums")
    assert found == {"activity": [], "visitors": [], "bad_event_counts": [], "bad_events": []}
