"""Event files as people have them, each with what is right for it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from app.events.bad_events import Reason
from app.events.csv_codec import Block, Decoded, decode_blocks
from app.events.files import describe, read_blocks, read_range
from app.events.time_bounds import ANY_TIME, PlausibleDays, TimeBounds

CASES = Path(__file__).parent / "cases"
NOW = 1_800_000_000_000_000
PLAUSIBLE = PlausibleDays().at(NOW)


@dataclass(frozen=True)
class Case:
    """The rows of a file, by what they are."""

    events: int
    bad: dict[Reason, int] = field(default_factory=dict)
    duplicates: int = 0
    bounds: TimeBounds = PLAUSIBLE


RIGHT = {
    "02_reordered.csv": Case(12),
    "04_extra_last.csv": Case(12),
    "06_sci_category.csv": Case(0, {Reason.IMPRECISE_ID: 12}),
    "08_time_noutc.csv": Case(12),
    "10_time_pandas_tz.csv": Case(12),
    "12_time_frac_utc.csv": Case(12),
    "15_bom.csv": Case(12),
    "16_semicolon.csv": Case(12),
    "18_header_middle.csv": Case(12),
    "20_crlf.csv": Case(12),
    "24_multi_member.csv.gz": Case(12),
    "26_kaggle.csv.zip": Case(12),
    "28_xz.csv.xz": Case(12),
    "30_header_spaces.csv": Case(12),
    "32_price_float.csv": Case(12),
    "36_type_caps.csv": Case(12),
    "38_no_header.csv": Case(12),
    "40_neg_zero.csv": Case(12),
    "42_blank_lines.csv": Case(12, {Reason.MISSING_COLUMNS: 3}),
    "44_trailing_comma.csv": Case(12),
    "52_latin1.csv": Case(0, {Reason.INVALID_UTF8: 12}),
    "header_only.csv": Case(0),
    "id_year.csv": Case(1, duplicates=1, bounds=ANY_TIME),
    "oneview.csv": Case(1),
    "outlier_first.csv": Case(2, {Reason.IMPLAUSIBLE_TIME: 1}),
    "year1.csv": Case(500, {Reason.IMPLAUSIBLE_TIME: 1}),
}


def decoded(path: Path, bounds: TimeBounds = PLAUSIBLE, rows: int = 500) -> Decoded:
    return decode_blocks(
        [
            Block(block.data, path.name, block.first_row, layout=block.layout, bounds=bounds)
            for block in read_blocks(str(path), rows)
        ]
    )


def test_every_case_has_its_right_value() -> None:
    assert {path.name for path in CASES.iterdir()} == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_gives_the_right_rows(name: str) -> None:
    case, found = RIGHT[name], decoded(CASES / name, RIGHT[name].bounds)
    distinct = len(found.events.column("event_id").unique())
    assert (distinct, len(found.events) - distinct) == (case.events, case.duplicates)
    assert Counter(found.bad.column("reason").to_pylist()) == case.bad
    assert found.rows == len(found.events) + len(found.bad)


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_gives_the_same_however_it_is_cut(name: str) -> None:
    path = CASES / name
    whole = decoded(path)
    assert decoded(path, rows=1).events.equals(whole.events)
    file = describe(str(path))
    if not file.is_packed:
        found = decode_blocks(list(ranges(path, 100, file.size)))
        assert found.events.equals(whole.events)
        assert found.bad.equals(whole.bad)


def ranges(path: Path, step: int, size: int) -> Iterator[Block]:
    row = 1
    for start in range(0, size, step):
        for block in read_range(str(path), start, step):
            yield Block(block.data, path.name, row, layout=block.layout, bounds=PLAUSIBLE)
            row += block.rows


def ids(found: Decoded) -> pa.Array:
    return found.events.column("event_id")


@pytest.mark.parametrize(
    "name", ["02_reordered.csv", "04_extra_last.csv", "16_semicolon.csv", "26_kaggle.csv.zip", "44_trailing_comma.csv"]
)
def test_an_event_is_the_same_in_every_layout(name: str, tmp_path: Path) -> None:
    found = decoded(CASES / name)
    plain = tmp_path / "plain.csv"
    plain.write_bytes(b"\n".join(found.text))
    again = decoded(plain)
    assert ids(again).equals(ids(found))
    assert found.events.column("price").to_pylist() == [Decimal(f"{price}.05") for price in range(1, 13)]
    assert found.events.column("brand").to_pylist() == ["runail", "irisk", None] * 4
    assert [row.count(b",") for row in found.text] == [8] * 12


def test_float_prices_are_rounded_half_up() -> None:
    prices = decoded(CASES / "32_price_float.csv").events.column("price").to_pylist()
    assert prices[:3] == [Decimal("1.16"), Decimal("2.26"), Decimal("3.36")]


def test_types_in_capitals_are_the_same_types() -> None:
    types = decoded(CASES / "36_type_caps.csv").events.column("event_type").to_pylist()
    assert Counter(types) == {"view": 6, "cart": 3, "purchase": 3}


def test_a_stray_year_is_told_apart_and_costs_the_answer_by_day_nothing() -> None:
    events = pa.table(decoded(CASES / "year1.csv").events)
    purchases = events.filter(pa.compute.equal(events["event_type"], "purchase"))
    assert (len(purchases), sum(purchases["price"].to_pylist())) == (11, Decimal("2963.18"))
    assert {time.year for time in events["event_time"].to_pylist()} == {2019}


@pytest.mark.parametrize("latest", ["2019-09-30", "+0d"])
def test_bounds_decide_alone_what_is_plausible(latest: str) -> None:
    bounds = replace(PlausibleDays(), earliest="0001-01-01", latest=latest).at(1_569_888_000_000_000)
    found = decoded(CASES / "outlier_first.csv", bounds)
    assert (len(found.events), set(found.bad.column("reason").to_pylist())) == (1, {"implausible_time"})
