"""What a cell's state keeps, and when it is given up."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from apache_beam.utils.timestamp import Timestamp

from app.events.csv_codec import decode
from app.stream.activity import _Count, marked
from app.stream.cells import CellKey, split_into_cells

ROW = b"2019-10-01 10:0%d:00 UTC,purchase,1,2,,,1.50,3,s\n"
DAY = 86_400
BEGAN = Timestamp(999 * DAY)


class State:
    """A bag, a value or a timer, as Beam gives them."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def read(self) -> Any:
        return self.values

    def clear(self) -> None:
        self.values = []

    def add(self, value: Any) -> None:
        self.values.append(value)


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
        self._count = _Count(every_seconds=10, keep_days=7, began=BEGAN)
        self.known, self.fresh = State(), State()
        self.is_due, self.epoch, self.is_rebuilt, self.due, self.forget = (Value() for _ in range(5))

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
        self._count.process(part, self.now, self.known, self.fresh, self.is_due, self.is_rebuilt, self.due)

    def count(self) -> list[tuple[int, int, int, bool]]:
        """Fire the timer: minute, epoch [seconds], events and is_rebuilt of what is written."""
        key = CellKey(int(datetime(2019, 10, 1, 10, tzinfo=UTC).timestamp()) // 3_600, 0)
        state = (self.known, self.fresh, self.is_due, self.epoch, self.is_rebuilt, self.forget)
        given = self._count.count(key, self.due.read(), *state)
        batches = [one for one in given if isinstance(one, pa.RecordBatch)]
        assert all(price == Decimal("1.50") for batch in batches for price in batch.column("revenue").to_pylist())
        rows = [row for batch in batches for row in batch.to_pylist()]
        return [(row["minute"].minute, row["epoch"] // 10**6, row["events"], row["is_rebuilt"]) for row in rows]

    def give_up(self) -> None:
        self._count.give_up(self.forget.read(), self.known, self.is_due, self.epoch, self.is_rebuilt)


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
