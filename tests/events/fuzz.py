"""Fuzz the codec: whole calls of tens of thousands of rows, each row as the rules alone read it, none lost.

    python -m tests.events.fuzz --minutes 60

Rows of the generated store are spoilt at random, most of them slightly, put into blocks of different layouts and
bounds, and decoded at once. A row by row reading by `app.events.csv_row` is the judge. A call that fails is named by
its seed, with which it comes again: `--seed N --calls 1`. The suite runs a few calls.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from app.events.csv_codec import Block, Decoded, decode_blocks
from app.events.csv_row import BadRowError, Row, read_row
from app.events.generator import Settings, generate
from app.events.identity import canonical_row, event_ids
from app.events.layout import CANONICAL, Layout
from app.events.schema import EVENTS, MAX_ROW_BYTES, RAW_COLUMNS
from app.events.time_bounds import ANY_TIME, DEFAULT_DAYS, TimeBounds

ROWS: Final = (30_000, 50_000)
"""Fewer and more rows of a call: pyarrow works otherwise on many than on few."""
_DAY: Final = 86_400_000_000
_START: Final = 1_569_888_000_000_000
_LAYOUTS: Final = (
    CANONICAL,
    CANONICAL,
    Layout(("user_id", "", *(name for name in RAW_COLUMNS if name != "user_id"))),
    Layout((*RAW_COLUMNS, ""), ";"),
    Layout(tuple(reversed(RAW_COLUMNS)), "\t"),
)
_BOUNDS: Final = (
    ANY_TIME,
    DEFAULT_DAYS.at(_START + 60 * _DAY),
    TimeBounds(_START, _START + 3_600_000_000),
)
_PIECES: Final = (
    b"\0", b"\0", b"\0,", b",\0", b"\0\0\0,", b"\0\0\0\0\0\0\0\0", b",", b";", b"\t", b'"', b'""', b"\r", b"\r\r",
    b"\xef\xbb\xbf", b"\xff", b"\xc3", b"\xc3\xa9", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85", b"\x1a", b"\x1f\x8b",
    b"\x0b", b"\x1c", b" ", b".", b"-", b"+", b"e", b"0", b"9", b"00000000000000000000", b"nan", b"NULL", b"event_time",
    b"T", b"Z", b" UTC", b"+00:00", b"\\", b"'", b"#",
)  # fmt: skip
_TIMES: Final = (
    b"0019-10-01 00:00:00 UTC", b"0999-12-31 23:59:59 UTC", b"1970-01-01 00:00:00 UTC",
    b"9999-12-31 23:59:59.999999 UTC",
    b"0000-01-01 00:00:00 UTC", b"2019-02-29 00:00:00 UTC", b"2020-02-29 00:00:00 UTC", b"2019-10-01T00:00:00.000Z",
    b"2019-10-01 00:00:00+00:00", b"2019-10-01 00:00:00", b"2019-10-01 23:59:60 UTC", b"2019-10-01 24:00:00 UTC",
    b"0001-01-01 00:00:00+14:00", b"9999-12-31 23:59:59-14:00", b"2019-10-01 00:00:00.123456789 UTC",
    b"", b"2019-10-01",
    b"1569888000", b"2019-10-01 00:00:00 UTC ", b"2019-10-01  00:00:00UTC",
)  # fmt: skip
_TYPES: Final = (b"View", b"PURCHASE", b" cart", b"", b"views", b"remove_from_cart\0", b"v\xc3\xaeew")
_IDS: Final = (
    b"0", b"-0", b"-1", b"007", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"1.0", b"1e3",
    b"9007199254740993.0", b"2.05301E+18", b"", b"+1", b"0x10", b"1_000", b"\xd9\xa1", b" 5 ", b"99999999999999999999",
)  # fmt: skip
_PRICES: Final = (
    b"0", b"0.00", b"-0.00", b"-0.004", b"-0.01", b"00.10", b"1.1550000000000002", b"9999999999.99", b"9999999999.995",
    b"10000000000.00", b"1e2", b"1E-7", b"1e99", b"5.", b".5", b"nan", b"inf", b"1,5", b"", b"1.2.3", b"0x1.00",
    b"1e5.00",
    b"12345678901234567890.00", b"1 000.00", b"+1.00",
)  # fmt: skip
_TEXTS: Final = (
    b"",
    b'"a,b"',
    b'"say ""hi"""',
    b'""',
    b'" "',
    b"a" * 300,
    b"user:5",
    b"..",
    b"a.b.c.d",
    b"\0",
    b"a\0,b",
    b'"\0"',
)
_VALUES: Final = {
    "event_time": _TIMES, "event_type": _TYPES, "product_id": _IDS, "category_id": _IDS, "category_code": _TEXTS,
    "brand": _TEXTS, "price": _PRICES, "user_id": _IDS, "user_session": _TEXTS,
}  # fmt: skip


@cache
def _good_rows() -> tuple[bytes, ...]:
    data = b"".join(generate(Settings(events=ROWS[1], seed=7, days=1, header=False)))
    return tuple(data.splitlines())


class Spoiler:
    """Spoils rows with few kinds of faults, of which it has many: faults of one kind may hide those of another."""

    def __init__(self, chance: random.Random) -> None:
        """Choose the kinds."""
        self._chance = chance
        self._pieces = chance.sample(_PIECES, chance.choice((1, 2, 4, len(_PIECES))))
        self._columns = chance.sample(RAW_COLUMNS, chance.choice((1, 3, len(RAW_COLUMNS))))
        kinds: list[Callable[[bytes], bytes]] = [self._edit, self._edit, self._value, self._other]
        self._kinds = chance.sample(kinds, chance.choice((1, 2, 4)))

    def spoilt(self, rows: Sequence[bytes]) -> list[bytes]:
        """The rows, a share of them spoilt, none with a line feed inside."""
        chance = self._chance
        found = list(rows)
        for _ in range(max(1, int(len(found) * chance.choice((0.0001, 0.001, 0.01, 0.1))))):
            at = chance.randrange(len(found))
            for _ in range(chance.choice((1, 1, 1, 2, 4))):
                found[at] = chance.choice(self._kinds)(found[at])
        if chance.random() < 0.2:  # one of about the longest that is read
            found[-1] += b"s" * (MAX_ROW_BYTES - len(found[-1]) + chance.randrange(-1, 2))
        return [row.replace(b"\n", b"") for row in found]

    def _edit(self, row: bytes) -> bytes:
        """A row with a piece put in, taken out, or put in the place of another."""
        chance = self._chance
        at = chance.randrange(len(row) + 1)
        cut = chance.choice((0, 0, 1, 1, 2, 8, 40))
        piece = chance.choice(self._pieces) if chance.random() < 0.9 else bytes([chance.randrange(256)])
        return row[:at] + (piece if cut == 0 or chance.random() < 0.7 else b"") + row[at + cut :]

    def _value(self, row: bytes) -> bytes:
        """A row with another value in one column."""
        fields = row.split(b",")
        name = self._chance.choice(self._columns)
        place = RAW_COLUMNS.index(name)
        if len(fields) > place:
            fields[place] = self._chance.choice(_VALUES[name])
        return b",".join(fields)

    def _other(self, row: bytes) -> bytes:
        """Something else than a row."""
        chance = self._chance
        rubbish = chance.randbytes(chance.randrange(200))
        return chance.choice((b"", rubbish, row + row, row[: len(row) // 2], b"," * (len(RAW_COLUMNS) - 1)))


def blocks_of(rows: Sequence[bytes], chance: random.Random) -> list[Block]:
    """The rows in blocks of any size, layout, bounds and end of line."""
    blocks: list[Block] = []
    at = 0
    one_layout = chance.random() < 0.5
    while at < len(rows):
        after = min(len(rows), at + chance.choice((1, 7, 500, 5_000, 40_000)))
        layout = CANONICAL if one_layout else chance.choice(_LAYOUTS)
        end = chance.choice((b"\n", b"\r\n"))
        part = [_in_layout(row, layout) for row in rows[at:after]]
        data = end.join(part) + end
        blocks.append(Block(data, f"block {len(blocks)}", at + 1, layout=layout, bounds=chance.choice(_BOUNDS)))
        at = after
    return blocks


def _in_layout(row: bytes, layout: Layout) -> bytes:
    fields = row.split(b",")
    if layout is CANONICAL or len(fields) != len(RAW_COLUMNS):
        return row
    values = dict(zip(RAW_COLUMNS, fields, strict=True))
    return layout.delimiter.encode().join(values.get(name, b"ignored") for name in layout.columns)


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a row."""

    source: str
    number: int
    raw: bytes
    row: Row | None
    fault: BadRowError | None


def judged(blocks: Sequence[Block]) -> list[Verdict]:
    """The rows of blocks, read one by one."""
    found = []
    for block in blocks:
        lines = block.data.split(b"\n")[:-1]
        for number, line in enumerate(lines, block.first_row):
            raw = line.removesuffix(b"\r")
            try:
                row = read_row(block.layout.canonical_row(raw) if block.layout is not CANONICAL else raw, block.bounds)
            except BadRowError as fault:
                found.append(Verdict(block.source, number, raw, None, fault))
            else:
                found.append(Verdict(block.source, number, raw, row, None))
    return found


def compare(decoded: Decoded, verdicts: Sequence[Verdict]) -> None:
    """Raise AssertionError where the codec found something else than the rules say."""
    good = [(verdict, verdict.row) for verdict in verdicts if verdict.row]
    bad = [(verdict, verdict.fault) for verdict in verdicts if verdict.fault]
    _same("rows", [decoded.rows], [len(verdicts)])
    _same("the ledger", [len(decoded.events) + len(decoded.bad)], [decoded.rows])
    events = decoded.events
    _same("places", _pairs(events), [(verdict.source, verdict.number) for verdict, _ in good])
    _same("ids", events.column("event_id").to_pylist(), event_ids(canonical_row(*row) for _, row in good).to_pylist())
    for name, wanted in zip(RAW_COLUMNS, zip(*(row for _, row in good), strict=True), strict=bool(good)):
        _same(name, events.column(name).to_pylist(), list(wanted))
    _same("levels", _levels(decoded), [_split_code(row.category_code) for _, row in good])
    _same("flags", _flags(decoded), [(row.price == 0, row.user_session is None) for _, row in good])
    _same("bad places", _pairs(decoded.bad), [(verdict.source, verdict.number) for verdict, _ in bad])
    _same("raw", decoded.bad.column("raw").to_pylist(), [verdict.raw for verdict, _ in bad])
    _same("reasons", decoded.bad.column("reason").to_pylist(), [fault.reason.value for _, fault in bad])
    _same("fields", decoded.bad.column("field").to_pylist(), [fault.field for _, fault in bad])
    if events.schema.names[: len(EVENTS)] != EVENTS.names:
        raise AssertionError(f"columns {events.schema.names}")


def _pairs(batch: object) -> list[tuple[str, int]]:
    columns = [batch.column(name).to_pylist() for name in ("source", "source_row")]  # type: ignore[attr-defined]
    return list(zip(*columns, strict=True))


def _levels(decoded: Decoded) -> list[tuple[str | None, ...]]:
    columns = [decoded.events.column(name).to_pylist() for name in ("department", "sub_category", "product")]
    return list(zip(*columns, strict=True))


def _split_code(code: str | None) -> tuple[str | None, ...]:
    parts = (code or "").split(".", 2)
    return tuple(part or None for part in [*parts, "", ""][:3])


def _flags(decoded: Decoded) -> list[tuple[bool, bool]]:
    columns = [decoded.events.column(name).to_pylist() for name in ("zero_price", "missing_session")]
    return list(zip(*columns, strict=True))


def _same(what: str, found: Sequence[object], wanted: Sequence[object]) -> None:
    if list(found) == list(wanted):
        return
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))
    is_, should_be = found[at : at + 1], wanted[at : at + 1]
    raise AssertionError(f"{what}: {len(found)} found, {len(wanted)} wanted; at {at} {is_!r} and not {should_be!r}")


def call(seed: int) -> int:
    """One call of the codec, compared; the number of its rows. Raises AssertionError."""
    chance = random.Random(seed)
    rows = _good_rows()[: chance.choice(ROWS)]
    if chance.random() < 0.2:  # few values, so that dictionaries are small and columns alike
        rows = (rows[0],) * len(rows)
    blocks = blocks_of(Spoiler(chance).spoilt(rows), chance)
    compare(decode_blocks(blocks), judged(blocks))
    return len(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz for some minutes or calls; 1 is the exit code where a call failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.events.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long (10)")
    parser.add_argument("--seed", type=int, default=None, help="the first call's; by the clock where not given")
    parser.add_argument("--calls", type=int, default=None, help="how many at most")
    given = parser.parse_args(arguments)
    first = seed = time.time_ns() if given.seed is None else given.seed
    until = time.monotonic() + given.minutes * 60
    rows = 0
    while time.monotonic() < until and (given.calls is None or seed - first < given.calls):
        try:
            rows += call(seed)
        except Exception as error:
            sys.stderr.write(f"--seed {seed}: {type(error).__name__}: {error}\n")
            return 1
        seed += 1
    sys.stdout.write(f"{seed - first:,} calls, {rows:,} rows: each as the rules say\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
