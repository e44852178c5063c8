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
from functools import cache
from typing import Final

from app.events.csv_codec import Block, decode_blocks
from app.events.generator import Settings, generate
from app.events.layout import CANONICAL, Layout
from app.events.schema import MAX_ROW_BYTES, RAW_COLUMNS
from app.events.time_bounds import ANY_TIME, DEFAULT_DAYS, TimeBounds
from tests.events.judge import compare, judged

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


def _pandas(fields: list[bytes]) -> None:
    fields[0] = fields[0].replace(b" UTC", b"+00:00")
    fields[6] = fields[6].removesuffix(b"0")
    fields[7] += b".0"


def _spark(fields: list[bytes]) -> None:
    fields[0] = fields[0].replace(b" UTC", b".000Z").replace(b" ", b"T")


def _tracker(fields: list[bytes]) -> None:
    fields[0] = fields[0].replace(b" UTC", b"")
    fields[1] = fields[1].title()
    fields[6] = fields[6].removesuffix(b".00")


_STYLES: Final[Sequence[Callable[[list[bytes]], None]]] = (_pandas, _spark, _tracker)


def in_style(row: bytes, style: Callable[[list[bytes]], None]) -> bytes:
    """A good row as another program writes it."""
    fields = row.split(b",")
    style(fields)
    return b",".join(fields)


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


def call(seed: int) -> int:
    """One call of the codec, compared; the number of its rows. Raises AssertionError."""
    chance = random.Random(seed)
    rows = _good_rows()[: chance.choice(ROWS)]
    if chance.random() < 0.2:  # few values, so that dictionaries are small and columns alike
        rows = (rows[0],) * len(rows)
    if chance.random() < 0.3:
        style = chance.choice(_STYLES)
        rows = tuple(in_style(row, style) for row in rows)
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
