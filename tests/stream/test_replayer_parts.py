"""The parts of the replayer that need no Pub/Sub: times, cutting, pace, checkpoint."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.csv_codec import decode, decode_blocks
from app.events.files import Block, EventFile
from app.events.layout import Layout
from app.events.schema import RAW_COLUMNS
from app.events.time_bounds import DEFAULT_DAYS
from app.stream.messages import block_of
from app.stream.replayer_blocks import Cutter, Limits, Piece
from app.stream.replayer_checkpoint import Checkpoint, CheckpointError, Position, Replay, Tally
from app.stream.replayer_pace import Pace
from app.stream.replayer_publisher import Batch
from app.stream.replayer_settings import ReplaySettings, ReplaySettingsError
from app.stream.replayer_times import UNREADABLE, event_times, micros, moment, rfc3339, row_bounds

START = datetime(2019, 10, 1, tzinfo=UTC)
NO_TIME = b"no time,view"


def row(seconds: float, tail: str = "view,1,2,,apple,9.90,3,s") -> bytes:
    time = START + timedelta(seconds=seconds)
    fraction = f".{time.microsecond:06}" if time.microsecond else ""
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction} UTC,{tail}".encode()


def times_of(data: bytes) -> list[int]:
    begins, _ = row_bounds(data)
    return [int(time) for time in event_times(data, begins)]


def cut(rows: list[bytes], limits: Limits) -> list[Piece]:
    data = b"".join(one + b"\n" for one in rows)
    return list(Cutter(limits).cut(Block(data, 1, len(rows), 0)))


def kept(pieces: list[Piece]) -> list[int]:
    return [number for piece in pieces for number in range(piece.first_row, piece.first_row + piece.rows)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"2019-10-01 00:00:07 UTC,view", 7),
        (b"2019-10-01 00:00:07.25 UTC,view", 7.25),
        (b'"2019-10-01 00:00:07 UTC",view', 7),
        (b"2019-10-01 00:00:07,view", 7),
        (b"2019-10-01T00:00:07.250Z,view", 7.25),
        (b"2019-10-01 02:00:07+02:00,view", 7),
        (b"2019-10-01 00:00:07 KST,view", None),
        (b"2019-13-01 00:00:07 UTC,view", None),
        (b"2019-10-01 24:00:07 UTC,view", None),
        (b"0000-10-01 00:00:07 UTC,view", None),
        (b"2019-10-01T00:00:07 UTC,view", 7),
        (b"2019-10-01 00:00:07 UTC", None),
        (b"", None),
        (b"\xff" * 30, None),
    ],
)
def test_a_time_is_read_or_is_not_there(text: bytes, seconds: float | None) -> None:
    wanted = UNREADABLE if seconds is None else micros(START + timedelta(seconds=seconds))
    neighbour = micros(START)
    assert times_of(row(0) + b"\n" + text + b"\n" + row(0)) == [neighbour, wanted, neighbour]


@given(st.lists(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)), min_size=1, max_size=30))  # noqa: DTZ001
def test_times_are_those_of_the_codec(times: list[datetime]) -> None:
    data = b"\n".join(f"{time:%Y-%m-%d %H:%M:%S.%f} UTC,view,1,2,,a,1,3,s".encode() for time in times)
    read = [micros(time) for time in decode(data, source="").events.column("event_time").to_pylist()]
    assert times_of(data) == read
    assert [moment(time) for time in read] == [time.replace(tzinfo=UTC) for time in times]


def test_rows_of_another_layout_are_cut_by_their_times_and_sent_as_they_are() -> None:
    layout = Layout(("user_id", "user_session", *RAW_COLUMNS[:7], ""), ";")
    rows = [f"3;s;2019-10-01 00:00:0{second} UTC;view;1;2;;a,b;9.90;x".encode() for second in range(4)] + [b"bad"]
    data = b"\r\n".join(rows)
    pieces = list(Cutter(Limits(2, 1 << 20, start=START + timedelta(seconds=1))).cut(Block(data, 1, 5, 0, layout)))
    assert [piece.data.split(b"\r\n")[0] for piece in pieces] == [rows[1], rows[3]]
    assert [piece.earliest for piece in pieces] == [micros(START) + second * 1_000_000 for second in (1, 3)]
    assert [piece.first_row for piece in pieces] == [2, 4]
    batch = Batch("t", "a.csv", Position(0))
    batch.add(pieces[0])
    (message,) = batch.request.messages
    (event, _) = decode_blocks([block_of(message.data, message.attributes, "")]).events.to_pylist()
    assert (event["brand"], event["user_id"], event["source_row"]) == ("a,b", 3, 2)


def test_a_time_is_written_as_a_timestamp_attribute() -> None:
    assert rfc3339(micros(START)) == "2019-10-01T00:00:00Z"
    assert rfc3339(micros(START) + 500_000) == "2019-10-01T00:00:00.500000Z"


@given(
    rows=st.lists(st.one_of(st.integers(0, 30).map(row), st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")))),
    limit=st.integers(1, 5),
    size=st.integers(1, 200),
    span=st.one_of(st.none(), st.integers(0, 5_000_000)),
)
def test_pieces_join_to_the_block(rows: list[bytes], limit: int, size: int, span: int | None) -> None:
    data = b"".join(one + b"\n" for one in rows)
    pieces = cut(rows, Limits(limit, size, span))
    assert b"".join(piece.data for piece in pieces) == data
    assert kept(pieces) == list(range(1, len(rows) + 1))
    for piece in pieces:
        times = [time for time in times_of(piece.data) if time != UNREADABLE]
        assert (piece.earliest, piece.latest) == ((min(times), max(times)) if times else (None, None))
        assert piece.rows <= limit
        assert len(piece.data) <= size or piece.rows == 1
    assert all(before.end + len(after.data) == after.end for before, after in pairwise(pieces))
    assert all(before.due <= after.due for before, after in pairwise(pieces))


def test_a_piece_spans_at_most_the_time_asked_for() -> None:
    pieces = cut([row(second / 4) for second in range(40)], Limits(500, 1 << 20, span=1_000_000))
    assert [piece.rows for piece in pieces] == [5] * 8
    assert [piece.due - micros(START) for piece in pieces] == [1_000_000 + n * 1_250_000 for n in range(8)]


def test_rows_outside_of_the_period_are_left_out_row_by_row() -> None:
    limits = Limits(500, 1 << 20, start=START + timedelta(seconds=2), end=START + timedelta(seconds=5))
    pieces = cut([row(second) for second in (0, 1, 2, 3, 4, 5, 3, 9)], limits)
    assert kept(pieces) == [3, 4, 5, 7]
    assert [piece.first_row for piece in pieces] == [3, 7]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([row(0), NO_TIME, row(3), NO_TIME, NO_TIME, row(9), NO_TIME], [3, 4, 5]),
        ([NO_TIME, row(3)], [1, 2]),
        ([NO_TIME, row(9)], []),
        ([NO_TIME, NO_TIME], [1, 2]),
    ],
)
def test_a_row_without_a_time_goes_with_its_neighbours(rows: list[bytes], wanted: list[int]) -> None:
    limits = Limits(500, 1 << 20, start=START + timedelta(seconds=2), end=START + timedelta(seconds=5))
    assert kept(cut(rows, limits)) == wanted


def test_a_row_without_a_time_goes_with_the_row_before_it_in_the_block_before() -> None:
    cutter = Cutter(Limits(500, 1 << 20, start=START + timedelta(seconds=2)))
    for data, wanted in ((row(0), []), (NO_TIME, []), (row(3), [1]), (NO_TIME + b"\n" + row(1), [1])):
        assert kept(list(cutter.cut(Block(data + b"\n", 1, data.count(b"\n") + 1, 0)))) == wanted


@pytest.mark.parametrize("place", [0, 3, 9])
def test_one_wrong_time_far_ahead_does_not_hold_up_the_replay(place: int) -> None:
    rows = [row(second) for second in range(10)]
    rows[place] = b"2099-01-01 00:00:00 UTC,view"
    pieces = cut(rows, Limits(1, 1 << 20))
    assert all(piece.due <= micros(START + timedelta(seconds=9)) for piece in pieces)
    assert pieces[8].due == micros(START + timedelta(seconds=8))


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("year", [b"0019", b"1970", b"2106"])
def test_an_implausible_time_moves_no_clock_and_its_row_is_sent(place: int, year: bytes) -> None:
    rows = [row(second) for second in range(4)]
    rows.insert(place, row(0).replace(b"2019", year))
    pieces = cut(rows, Limits(1, 1 << 20, plausible=DEFAULT_DAYS.at(micros(START))))
    assert kept(pieces) == [1, 2, 3, 4, 5]
    pace = Pace(1, clock=lambda: 0.0)
    waits = [pace.seconds_until(piece.due) for piece in pieces]
    assert max(waits) == 3.0
    assert waits == sorted(waits)


def test_a_gap_in_the_events_is_kept() -> None:
    rows = [row(0), row(1), row(10 * 86_400), row(10 * 86_400 + 1)]
    assert [(piece.due - micros(START)) // 1_000_000 for piece in cut(rows, Limits(1, 1 << 20))] == [
        0,
        1,
        864_000,
        864_001,
    ]


def test_the_pace_is_the_original_times_over_the_speed() -> None:
    now = [100.0]
    pace = Pace(60, lambda: now[0])
    hour = micros(START)
    assert pace.seconds_until(hour) == 0
    assert pace.seconds_until(hour + 3_600_000_000) == 60
    now[0] += 45
    assert pace.seconds_until(hour + 3_600_000_000) == 15
    assert pace.seconds_until(hour) == -45
    assert pace.span(0.5) == 30_000_000


def test_without_a_speed_nothing_waits() -> None:
    pace = Pace(None)
    assert [pace.seconds_until(micros(START) + day * 10**12) for day in range(3)] == [0, 0, 0]
    assert pace.span(1) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topic": "events"}, "topic 'events' is no topic's full name"),
        ({"files": ()}, "files is empty"),
        ({"block_rows": 0}, "block_rows is 0; it must be from 1 to 1,000,000"),
        ({"block_bytes": 10_000_000}, "block_bytes is 10000000"),
        ({"speed": -1.0}, "speed is -1.0"),
        ({"start": datetime(2019, 10, 1)}, "has no time zone"),  # noqa: DTZ001 it is what is refused
        ({"start": START, "end": START}, "is not before"),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, object], message: str) -> None:
    right: dict[str, object] = {"topic": "projects/demo-project/topics/events", "files": ("a.csv",)}
    with pytest.raises(ReplaySettingsError, match=message):
        ReplaySettings(**right | change)  # type: ignore[arg-type]


REPLAY = Replay("projects/p/topics/t", (EventFile("/a.csv", 10, "1", is_packed=False),), None, None)


def test_a_checkpoint_gives_back_what_it_got(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "at.json"), REPLAY)
    assert checkpoint.load() is None
    tally = Tally(Position(0, 501, 4096), rows=[500], skipped=[0], blocks=1, bytes=4096, earliest=1, latest=2)
    checkpoint.save(tally)
    assert Checkpoint(str(tmp_path / "at.json"), REPLAY).load() == tally
    assert [path.name for path in tmp_path.iterdir()] == ["at.json"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Replay("projects/p/topics/other", REPLAY.files, None, None), "its topic is projects/p/topics/t, not"),
        (Replay(REPLAY.topic, (EventFile("/a.csv", 11, "2", is_packed=False),), None, None), "its files are others"),
        (Replay(REPLAY.topic, REPLAY.files, START.isoformat(), None), "its start is None, not 2019"),
    ],
)
def test_the_checkpoint_of_another_replay_is_refused(tmp_path: Path, other: Replay, message: str) -> None:
    where = str(tmp_path / "at.json")
    Checkpoint(where, REPLAY).save(Tally())
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(where, other).load()


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"version": 1, "replay": {}, "tally": {}}'])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "at.json").write_text(text)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        Checkpoint(str(tmp_path / "at.json"), REPLAY).load()


def test_a_checkpoint_is_written_once_a_second(tmp_path: Path) -> None:
    now = [10.0]
    checkpoint = Checkpoint(str(tmp_path / "at.json"), REPLAY, clock=lambda: now[0])
    checkpoint.save_if_due(Tally(blocks=1))
    checkpoint.save_if_due(Tally(blocks=2))
    assert (loaded := checkpoint.load()) is not None
    assert loaded.blocks == 1
    now[0] += 1
    checkpoint.save_if_due(Tally(blocks=3))
    assert (loaded := checkpoint.load()) is not None
    assert loaded.blocks == 3


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "nowhere" / "at.json"), REPLAY)
    checkpoint.save_if_due(Tally())
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoint.save(Tally())
