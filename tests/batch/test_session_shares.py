"""Events in shares of whole sessions, and what is made of the shares."""

from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from app.analytics import FACTS
from app.analytics.sql import compile_fact, session_facts
from app.batch import session_shares
from app.batch.duck_facts import SessionFacts, folder_of, plan_sessions
from app.batch.errors import BatchError
from app.batch.folder import Folder
from app.batch.session_shares import SHARES, by_share, hash_of, hashes_of, read_shares, shares_of, write_shares
from app.events.csv_codec import decode
from app.events.generator import Settings, generate
from app.events.schema import EVENTS
from tests.batch.staged import stage

COLUMNS = ("event_time", "event_type", "product_id", "price", "user_id", "user_session")
FIRSTS = ("half_hours", "acts")


def events_of(*rows: str) -> pa.Table:
    decoded = decode("\n".join(rows).encode(), source="events.csv")
    return pa.Table.from_batches([decoded.events.select(EVENTS.names)])


def row(user: int, session: str, second: int = 0) -> str:
    return f"2019-10-01 00:00:{second:02d} UTC,view,1,2053013555631882655,,apple,9.90,{user},{session}"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, tuple[str, ...], pa.Table]:
    """Files of events of some days, and all of the events."""
    data = b"".join(generate(Settings(events=20_000, seed=3, days=3, start=date(2019, 10, 30))))
    ingested, events = stage(tmp_path_factory.mktemp("events"), data)
    folder = ingested.folder
    days = folder.below("events").names()
    return (
        folder,
        tuple(f"events/{day}/{file}" for day in days for file in folder.below(f"events/{day}").names()),
        events,
    )


def test_every_event_is_in_the_share_of_its_session(many: tuple[Folder, tuple[str, ...], pa.Table]) -> None:
    folder, files, events = many
    shares = [pa.concat_tables(read_shares(folder, files, [share], EVENTS.names)) for share in range(SHARES)]
    assert sorted(pa.concat_tables(shares)["event_id"].to_pylist()) == sorted(events["event_id"].to_pylist())
    sessions = [set(share["user_session"].drop_null().to_pylist()) for share in shares]
    assert all(sessions)
    assert sum(map(len, sessions)) == len(set.union(*sessions))
    assert all((shares_of(hashes_of(found)) == share).all() for share, found in enumerate(shares))


def test_events_without_a_session_are_where_the_key_of_their_user_is() -> None:
    user, again, named, other = hashes_of(events_of(row(7, ""), row(7, ""), row(7, "user:7"), row(8, "")))
    assert user == again == hash_of(b"user:7")
    assert len({user, named, other}) == 3


def test_rows_of_a_share_keep_their_order() -> None:
    events = events_of(*(row(user, f"session {user % 5}", user) for user in range(60)))
    ordered, shares = by_share(events)
    assert (np.diff(shares) >= 0).all()
    for share in set(shares.tolist()):
        seconds = ordered.filter(pa.array(shares == share))["user_id"].to_pylist()
        assert seconds == sorted(seconds)


def test_events_are_read_a_few_files_at_a_time(
    many: tuple[Folder, tuple[str, ...], pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, files, events = many
    monkeypatch.setattr(session_shares, "MAX_EVENTS", 8_000)
    steps = list(read_shares(folder, files, range(SHARES), ["user_id"]))
    assert 1 < len(steps) < len(files)
    assert all(len(step) <= 8_000 for step in steps)
    assert sum(map(len, steps)) == len(events)


@pytest.mark.parametrize("files", [0, 1, 3, 16, 400])
def test_tasks_have_every_share_once(files: int) -> None:
    planned = [share for shares in plan_sessions(files) for share in shares]
    assert planned == (list(range(SHARES)) if files else [])


def test_a_file_without_shares_is_told(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write_table("events.parquet", events_of(row(1, "a")))
    with pytest.raises(BatchError, match="is of another version of the job; read all files anew with --events"):
        list(read_shares(folder, ["events.parquet"], [0], ["user_id"]))


def test_a_file_of_one_event_has_one_share(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    events, shares = by_share(events_of(row(1, "a")))
    write_shares(folder, "events.parquet", events, shares)
    found = {
        share: sum(map(len, read_shares(folder, ["events.parquet"], [share], ["user_id"]))) for share in range(SHARES)
    }
    assert {share for share, count in found.items() if count} == {int(shares[0])}


@pytest.mark.parametrize("max_events", [400_000, 500])
def test_facts_of_shares_are_those_of_all_events(
    many: tuple[Folder, tuple[str, ...], pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_events: int
) -> None:
    source, files, events = many
    monkeypatch.setattr(session_shares, "MAX_EVENTS", max_events)
    folder = Folder(str(tmp_path))
    folder.take({file: source.path(file) for file in files})
    names = session_facts()
    facts = SessionFacts(
        firsts=FIRSTS,
        sql={
            name: compile_fact(name, "duckdb", facts=() if name in FIRSTS else names[:place])
            for place, name in enumerate(names)
        },
        schemas={name: FACTS[name].schema for name in names if not FACTS[name].is_step},
        columns=COLUMNS,
        files=files,
    )
    make = partial(facts.make, folder=folder)
    assert all(list(make(range(share, share + 1))) for share in range(SHARES))
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        engine.register("events", events)
        for name in facts.schemas:
            made = folder.below(folder_of(name))
            found = pa.concat_tables(made.read_table(file) for file in made.names())
            expected = engine.sql(compile_fact(name, "duckdb")).to_arrow_table().cast(FACTS[name].schema)
            assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected.to_pylist())), name
            assert len(found) > 0
