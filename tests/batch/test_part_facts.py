"""Facts of parts, and what is put together of them."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from app.analytics import FACTS
from app.analytics.facts import Sums
from app.analytics.sql import columns_of, compile_fact, compile_merge, part_facts
from app.batch import duck_facts
from app.batch.duck_facts import Merge, PartFacts, folder_of, plan_merge
from app.batch.folder import Folder
from app.batch.ingest import ingest
from app.batch.progress import Progress
from app.batch.session_shares import SHARES
from app.events.files import describe
from app.events.generator import Settings, generate
from tests.batch.staged import Here

MERGES = {name: merge for name in part_facts() if isinstance(merge := FACTS[name].merge, Sums)}


@pytest.mark.parametrize("rows_a_task", [400_000, 200])
def test_facts_of_parts_are_put_together_to_those_of_all_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_task: int
) -> None:
    monkeypatch.setattr(duck_facts, "_ROWS_A_TASK", rows_a_task)
    file = tmp_path / "events.csv"
    file.write_bytes(b"".join(generate(Settings(events=20_000, seed=3, days=3, start=date(2019, 10, 30)))))
    folder = Folder(str(tmp_path / "staging"))
    now = datetime.now(UTC)
    ingested = ingest(
        Here(), [describe(str(file))], folder, split_bytes=400_000, ingest_time=now, progress=Progress(None)
    )
    parts = tuple(ingested.parts)
    assert len(parts) > 3
    events = pa.concat_tables(folder.read_table(name) for part in parts for name in part.event_files())
    facts = PartFacts(
        sql={name: compile_fact(name, "duckdb") for name in part_facts()},
        schemas={name: FACTS[name].schema for name in part_facts()},
        keys={name: merge.keys_of(FACTS[name].schema.names) for name, merge in MERGES.items()},
        columns=tuple({column for name in part_facts() for column in columns_of(name)}),
    )
    made = [one for part in parts for one in facts.make(part, folder)]
    for name in MERGES:
        planned = plan_merge(sum(one[name] for one in made))
        assert (len(planned) > 1) == (rows_a_task == 200)
        sql = compile_merge(name, "duckdb", parts="parts")
        for shares in planned:
            list(Merge(name, sql, FACTS[name].schema, parts, shares).make(folder))
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.register("events", events)
        for name in part_facts():
            files = folder.below(folder_of(name))
            found = pa.concat_tables(files.read_table(file) for file in files.names())
            expected = engine.sql(compile_fact(name, "duckdb")).to_arrow_table().cast(FACTS[name].schema)
            assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected.to_pylist())), name
            assert len(found) > 0


@pytest.mark.parametrize("rows", [0, 1, 400_000, 1_000_000, 10**9])
def test_tasks_have_every_share_of_the_keys_once(rows: int) -> None:
    planned = [share for shares in plan_merge(rows) for share in shares]
    assert planned == (list(range(SHARES)) if rows else [])
