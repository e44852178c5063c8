"""What a cell's state keeps, and when it is given up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from apache_beam.utils.timestamp import Timestamp

from app.events.csv_codec import decode
from app.stream.activity import CellState, count_level, marked
from app.stream.cells import LEVELS, CellKey, split_into_cells

ROW = b"2019-10-01 10:0%d:00 UTC,purchase,1,2,,,1.50,3,s\n"
DAY = 86_400
BEGAN = Timestamp(999 * DAY)


class State:
    """A bag, a value or a timer, as Beam gives them."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.largest = 0
        """The most bytes that were in it at once."""

    def read(self) -> Any:
        return self.values

    def clear(self) -> None:
        self.values = []

    def add(self, value: Any) -> None:
        self.values.append(value)
        self.largest = max(self.largest, len(value), sum(map(len, self.values)))


class Value(State):
    def read(self) -> Any:
        return self.values[-1] if self.values else None

    def write(self, value: Any) -> None:
        self.values = [value]

    set = write


class Cell:
    """One key of the DoFn, at a time that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = Timestamp(1_000 * DAY)
        monkeypatch.setattr("app.stream.activity.Timestamp.now", lambda: self.now)
        self._level: Any = count_level(0, every_seconds=10, keep_days=7, began=BEGAN)
        self.known, self.fresh = State(), State()
        self.waiting, self.epoch, self.is_rebuilt, self.again, self.due, self.forget = (Value() for _ in range(6))
        self._state = CellState(self.known, self.fresh, self.waiting, self.epoch, self.is_rebuilt, self.again)

    def add(self, *minutes: int) -> None:
        for part in self._parts(*minutes):
            self._process(part)

    def add_rebuilt(self, *minutes: int) -> None:
        for part in self._parts(*minutes):
            for one in marked(part):
                self._process(one)

    def _parts(self, *minutes: int) -> list[Any]:
        decoded = decode(b"".join(ROW % minute for minute in minutes), source="x")
        return list(split_into_cells(decoded.events, 1))

    def _process(self, part: Any) -> None:
        assert not list(self._level.process(part, self.now, *self._state, self.due, self.forget))

    def count(self) -> list[tuple[int, int, int, bool]]:
        """Fire the timer: minute, epoch [seconds], events and is_rebuilt of what is written."""
        key = CellKey(int(datetime(2019, 10, 1, 10, tzinfo=UTC).timestamp()) // 3_600, 0)
        given = self._level.count(key, self.due.read(), *self._state, self.forget)
        batches = [one for one in given if isinstance(one, pa.RecordBatch)]
        assert all(price == Decimal("1.50") for batch in batches for price in batch.column("revenue").to_pylist())
        rows = [row for batch in batches for row in batch.to_pylist()]
        return [(row["minute"].minute, row["epoch"] // 10**6, row["events"], row["is_rebuilt"]) for row in rows]

    def give_up(self) -> None:
        self._level.forget(self.forget.read(), *self._state)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    return Cell(monkeypatch)


def test_a_cell_is_counted_some_seconds_after_the_first_new_event(cell: Cell) -> None:
    began = cell.now
    cell.add(1)
    cell.now += 5
    cell.add(2)
    assert cell.due.read() == began + 10
    assert cell.count() == [(1, BEGAN.micros // 10**6, 1, False), (2, BEGAN.micros // 10**6, 1, False)]
    assert cell.count() == []


def test_events_after_the_state_was_given_up_open_an_epoch_that_adds_to_the_earlier(cell: Cell) -> None:
    cell.add(1)
    cell.count()
    cell.now = cell.forget.read()
    cell.give_up()
    assert cell.known.read() == []
    cell.add(2)
    assert cell.count() == [(2, cell.now.micros // 10**6, 1, False)]


def test_a_cell_that_was_read_back_writes_all_its_rows_as_those_that_replace_earlier_epochs(cell: Cell) -> None:
    began = BEGAN.micros // 10**6
    cell.add(1, 2)
    assert cell.count() == [(1, began, 1, False), (2, began, 1, False)]
    cell.add_rebuilt(2, 3)
    assert cell.count() == [(1, began, 1, True), (2, began, 1, True), (3, began, 1, True)]
    cell.add_rebuilt(3)
    cell.add(4)
    assert cell.count() == [(4, began, 1, True)]


def test_a_cell_that_is_given_up_after_it_was_read_back_opens_an_epoch_that_adds(cell: Cell) -> None:
    cell.add_rebuilt(1)
    cell.count()
    cell.now = cell.forget.read()
    cell.give_up()
    cell.add(2)
    assert cell.count() == [(2, cell.now.micros // 10**6, 1, False)]


def test_the_state_is_kept_while_events_come_even_if_only_repeats(cell: Cell) -> None:
    cell.add(1)
    cell.count()
    first = cell.forget.read()
    cell.now = first - 5
    cell.add(1)
    cell.now = first
    cell.give_up()
    assert cell.count() == []
    assert cell.forget.read() > first
    cell.add(1, 3)
    assert cell.count() == [(3, BEGAN.micros // 10**6, 1, False)]


def test_a_watermark_that_jumps_to_its_end_gives_nothing_up(cell: Cell) -> None:
    cell.add(1)
    cell.count()
    cell.give_up()
    cell.add(1)
    assert cell.count() == []


class Levels:
    """Cells of all levels by their key, each with a state of its own."""

    def __init__(self) -> None:
        self._levels: list[Any] = [count_level(level, 10, 7, BEGAN) for level in range(LEVELS)]
        self.cells: dict[Any, CellState] = {}
        self.minutes: dict[tuple[int, Any, str], int] = {}

    def take(self, part: Any, level: int = 0) -> None:
        self._follow(self._levels[level].process(part, BEGAN, *self._state(part[0]), Value(), Value()), level)

    def count(self) -> None:
        """Fire the timers, those of the first level first."""
        for level, counter in enumerate(self._levels):
            for key in [key for key in self.cells if level_of(key) == level]:
                self._follow(counter.count(key, BEGAN, *self.cells[key], Value()), level)

    def _state(self, key: Any) -> CellState:
        if key not in self.cells:
            self.cells[key] = CellState(State(), State(), *(Value() for _ in range(4)))
        return self.cells[key]

    def _follow(self, given: Any, level: int) -> None:
        for one in list(given):
            if isinstance(one, pa.RecordBatch):
                for row in one.to_pylist():
                    self.minutes[row["shard"], row["minute"], row["event_type"]] = row["events"]
            elif one.tag == "below":
                self.take(one.value, level + 1)


def level_of(key: Any) -> int:
    """By the numbers of cells, which are those of a heap."""
    return 0 if key[1] < 10_000 else 1 if key[1] < 10_000 * 65 else 2


@pytest.mark.parametrize("users", [1, 5_000], ids=["of one visitor", "of many visitors"])
@pytest.mark.parametrize("every", [1, 100], ids=["counted often", "counted at the end"])
def test_no_value_of_state_grows_beyond_its_bound_in_a_hot_hour(
    monkeypatch: pytest.MonkeyPatch, users: int, every: int
) -> None:
    bound = 128 << 10
    for module in ("cells", "activity"):
        monkeypatch.setattr(f"app.stream.{module}.MAX_CELL_BYTES", bound)
    levels, events, blocks = Levels(), 60_000, 30
    for block in range(blocks):
        numbers = range(block * events // blocks, (block + 1) * events // blocks)
        rows = [b"2019-10-01 10:00:00.%06d UTC,view,1,2,,,1.50,%d,s\n" % (n, n % users) for n in numbers]
        for part in split_into_cells(decode(b"".join(rows), source="x").events, 1):
            levels.take(part)
        levels.take(part)
        if block % every == 0:
            levels.count()
    levels.count()
    assert sum(levels.minutes.values()) == events
    assert events * 50 > 20 * bound, "too few events for this to mean much"
    known = max(state.known.largest for state in levels.cells.values())
    assert bound / 2 < known <= bound
    assert max(state.fresh.largest for state in levels.cells.values()) <= 2 * bound
    assert len({level_of(key) for key in levels.cells}) >= 2


def test_a_full_cell_of_the_last_level_opens_an_epoch_that_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cells", "activity"):
        monkeypatch.setattr(f"app.stream.{module}.MAX_CELL_BYTES", 200)
    last: Any = count_level(LEVELS - 1, 10, 7, BEGAN)
    state = CellState(State(), State(), *(Value() for _ in range(4)))
    rows = b"".join(ROW % minute for minute in range(7))
    given = []
    for part in split_into_cells(decode(rows, source="x").events, 1):
        given += last.process(part, BEGAN, *state, Value(), Value())
    given += last.count(part[0], BEGAN, *state, Value())
    written = [row for one in given if isinstance(one, pa.RecordBatch) for row in one.to_pylist()]
    assert sorted(row["minute"].minute for row in written) == list(range(7))
    assert len({row["epoch"] for row in written}) > 1
    assert not [one for one in given if getattr(one, "tag", "") == "below"]
    assert state.known.largest <= 200 + 500  # and what Arrow writes around some rows
