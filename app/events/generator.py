"""A believable store at any scale: the events of its visitors, as CSV in the published format, from a seed.

    scripts/generate --events 1_000_000 --seed 7 --out build/events.csv.gz

What it follows is what is published of October 2019: 96.07 % views, 2.18 % carts, 1.75 % purchases; 31.84 %
of events without category and 14.40 % without brand; 0.07 % exact duplicates; 0.16 % at price 0; 4.6 events a
session, 3.1 sessions a user; smartphones 68 % of revenue. The rows are in time order. The same settings give the same
bytes. Memory does not grow with the number of events: one stretch of time is made after another, and only
sessions that go on are carried over.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from app.events.bad_events import Reason
from app.events.schema import RAW_COLUMNS
from app.events.store_model.bad_rows import BadRows
from app.events.store_model.catalogue import catalogue
from app.events.store_model.rows import RowWriter
from app.events.store_model.store import Store

DUPLICATES: Final = 0.000712
"""Share of rows that repeat another row: 30,220 of 42,448,764 in October 2019."""
MOST_DAYS: Final = 3_660
_MOST_BAD: Final = 0.9
_ROWS_A_CHUNK: Final = 1 << 16


class SettingsError(ValueError):
    """A setting of the generator is not allowed; the message names it, its value and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """What to generate.

    Raises:
        SettingsError: a value is out of its range.
    """

    events: int
    """Rows in all, the header apart: distinct events, duplicates and bad rows."""
    seed: int = 0
    bad: float = 0.0
    """Share of rows that are bad events, 0 to 0.9."""
    start: date = date(2019, 10, 1)
    days: int = 31
    crlf: bool = False
    """End lines with CRLF, as the published October file does, instead of LF."""
    header: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        _check("events", self.events, self.events >= 0, "a number of rows from 0, for example 1_000_000")
        _check("seed", self.seed, self.seed >= 0, "a whole number from 0, for example 7")
        _check("bad", self.bad, 0 <= self.bad <= _MOST_BAD, f"a share from 0 to {_MOST_BAD}, for example 0.001")
        _check("days", self.days, 1 <= self.days <= MOST_DAYS, f"a number from 1 to {MOST_DAYS}, for example 31")


def _check(name: str, value: object, allowed: bool, what: str) -> None:
    if not allowed:
        raise SettingsError(f"{name} is {value}: it must be {what}")


@dataclass(frozen=True)
class Summary:
    """What was generated: `rows == events + duplicates + bad`, exactly."""

    events: int
    """Distinct good rows."""
    duplicates: int
    """Rows that repeat a good row."""
    bad: int
    """Rows that are no events, all different."""
    bad_by_reason: dict[Reason, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows, the header apart."""
        return self.events + self.duplicates + self.bad

    def to_json(self) -> str:
        """One line of JSON."""
        reasons = {reason.value: count for reason, count in self.bad_by_reason.items()}
        counts = {"rows": self.rows, "events": self.events, "duplicates": self.duplicates, "bad": self.bad}
        return json.dumps(counts | {"bad_by_reason": reasons})


class Generation(Iterator[bytes]):
    """The chunks of a generated file, each of whole rows; `summary` is there when the last has been taken."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the store; nothing is generated until the first chunk is asked for."""
        self.settings = settings
        self._bad = min(round(settings.events * settings.bad), max(settings.events - 1, 0))
        self._duplicates = min(round(settings.events * DUPLICATES), (settings.events - self._bad) // 2)
        self._events = settings.events - self._bad - self._duplicates
        self._bad_rows = BadRows()
        self._newline = b"\r\n" if settings.crlf else b"\n"
        self._summary: Summary | None = None
        self._chunks = self._generate()

    def __next__(self) -> bytes:
        """The next chunk."""
        return next(self._chunks)

    @property
    def summary(self) -> Summary:
        """What was generated.

        Raises:
            RuntimeError: not all chunks have been taken.
        """
        if self._summary is None:
            raise RuntimeError("the summary is known when every chunk has been taken: read the generation to its end")
        return self._summary

    def _generate(self) -> Iterator[bytes]:
        if self.settings.header:
            yield ",".join(RAW_COLUMNS).encode() + self._newline
        if self._events:
            yield from self._rows()
        reasons = {reason: self._bad_rows.count[reason] for reason in Reason if self._bad_rows.count[reason]}
        self._summary = Summary(self._events, self._duplicates, self._bad, reasons)

    def _rows(self) -> Iterator[bytes]:
        """Chunks of rows: the store's events, some of them twice, with bad rows among them."""
        settings = self.settings
        stretch = max(int(_ROWS_A_CHUNK * self._events / settings.events), 1)
        store = Store(self._events, settings.seed, settings.start, settings.days, stretch)
        writer = RowWriter(catalogue(), settings.start, settings.days, store.traffic.sale_days, self._newline)
        done = 0
        for events, rng in store.stretches():
            before, done = done, done + len(events)
            twice = rng.permutation(len(events))[: self._share(self._duplicates, before, done)]
            order = np.sort(np.concatenate([np.arange(len(events)), twice]), kind="stable")
            rows = writer.rows(events.take(order))
            yield self._with_bad(rows, self._share(self._bad, before, done), rng)

    def _share(self, total: int, before: int, done: int) -> int:
        """How many of `total` fall among the events `before` to `done`: over the whole run exactly `total`."""
        return total * done // self._events - total * before // self._events

    def _with_bad(self, rows: pa.BinaryArray, bad: int, rng: np.random.Generator) -> bytes:
        """The bytes of `rows` with `bad` bad rows between them, at random places."""
        _, buffer, text = rows.buffers()
        offsets = np.frombuffer(buffer, dtype=np.int32, count=len(rows) + 1)
        whole = memoryview(text)[: offsets[-1]]
        if not bad:
            return whole.tobytes()
        cuts = offsets[np.sort(rng.integers(0, len(rows) + 1, bad))]
        examples = rng.integers(0, len(rows), bad)
        parts: list[bytes | memoryview] = []
        at = 0
        for cut, example in zip(cuts.tolist(), examples.tolist(), strict=True):
            good = rows[example].as_py().removesuffix(self._newline)
            parts += (whole[at:cut], self._bad_rows.make(good, rng), self._newline)
            at = cut
        parts.append(whole[at:])
        return b"".join(parts)


def generate(settings: Settings) -> Generation:
    """Generate a store's events: an iterator of chunks of CSV, whose `summary` tells what was generated."""
    return Generation(settings)
