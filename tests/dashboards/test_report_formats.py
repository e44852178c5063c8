from datetime import date
from decimal import Decimal

import pytest

from app.dashboards.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, formats.NOTHING),
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10 k"),
        (12_345, "12.3 k"),
        (999_499, "999 k"),
        (999_950, "1 M"),
        (1_234_567, "1.2 M"),
        (Decimal("41200000.50"), "41.2 M"),
        (999_700_000, "1 bn"),
        (5_668_612_855, "5.7 bn"),
        (-12_345, "-12.3 k"),
    ],
)
def test_a_large_number_is_short_and_a_small_one_exact(value: float | None, text: str) -> None:
    assert formats.compact(value).replace(formats.SPACE, " ") == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, formats.NOTHING),
        (0.0, "0 %"),
        (0.00001, "< 0.01 %"),
        (0.0007, "0.07 %"),
        (0.0218, "2.2 %"),
        (0.0996, "10 %"),
        (0.6789, "68 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_has_more_places_the_smaller_it_is(share: float | None, text: str) -> None:
    assert formats.percent(share).replace(formats.SPACE, " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("347.741"), "347.74"), (999.99, "999.99"), (1000, "1,000"), (96_300, "96.3 k")]
)
def test_money_has_cents_while_they_matter(value: float | Decimal, text: str) -> None:
    assert formats.amount(value).replace(formats.SPACE, " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.6, "0.6 s"), (14.5, "14.5 s"), (59.99, "1 min 0 s"), (174, "2 min 54 s"), (7_260, "2 h 1 min")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert formats.duration(seconds).replace(formats.SPACE, " ") == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2019, 10, 1), date(2019, 10, 1), "1 October 2019"),
        (date(2019, 10, 1), date(2019, 10, 31), "1 to 31 October 2019"),
        (date(2019, 10, 1), date(2019, 11, 1), "1 October to 1 November 2019"),
        (date(2019, 12, 31), date(2020, 1, 1), "31 December 2019 to 1 January 2020"),
    ],
)
def test_a_period_does_not_repeat_month_and_year(first: date, last: date, text: str) -> None:
    assert formats.period(first, last) == text


@pytest.mark.parametrize(
    ("department", "sub_category", "text"),
    [
        ("electronics", "smartphone", "smartphone (electronics)"),
        ("furniture", "living_room", "living room (furniture)"),
        ("uncategorised", "uncategorised", "without category"),
        (None, None, "without category"),
        ("electronics", "uncategorised", "electronics"),
    ],
)
def test_a_sub_category_is_named_with_its_department(
    department: str | None, sub_category: str | None, text: str
) -> None:
    assert formats.category(department, sub_category) == text
