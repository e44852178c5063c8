"""Numbers, days and names as a shop owner reads them: `1.2 M`, `68 %`, `1 to 31 October 2019`."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.analytics.facts import UNCATEGORISED

Number = int | float | Decimal

SPACE: Final = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, so that a line never breaks there."""

NOTHING: Final = "\N{EN DASH}"
"""Stands where there is no value."""

NO_CATEGORY: Final = "without category"
_UNCATEGORISED: Final = (None, UNCATEGORISED)

_COMPACT_FROM: Final = 10_000
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTE: Final = 60
_HOUR: Final = 3600


def count(value: Number | None) -> str:
    """Return a whole number with thousands separated: `12,345`."""
    return NOTHING if value is None else f"{round(value):,}"


def compact(value: Number | None) -> str:
    """Return a number in three digits at most from 10,000 on (`1.2 M`), as it is below."""
    if value is None:
        return NOTHING
    number = float(value)
    if abs(number) < _COMPACT_FROM:
        return f"{round(number):,}"
    # 999,950 would show as `1000 k`, so each unit starts where the one below would round up to it.
    for limit, unit, one in ((999_500, "k", 1e3), (999_500_000, "M", 1e6)):
        if abs(number) < limit:
            return _three_digits(number / one) + SPACE + unit
    return _three_digits(number / 1e9) + SPACE + "bn"


def amount(value: Number | None) -> str:
    """Return money without its currency, which the events do not name: cents below 1,000, compact above."""
    if value is None:
        return NOTHING
    return f"{float(value):,.2f}" if abs(float(value)) < 1_000 else compact(value)


def decimal(value: Number | None, places: int = 1) -> str:
    """Return a number with a fixed count of decimal places."""
    return NOTHING if value is None else f"{float(value):,.{places}f}"


def percent(share: Number | None) -> str:
    """Return a share of 0 to 1 as `68 %`; one decimal below 10 %, two below 1 %."""
    if share is None:
        return NOTHING
    value = float(share) * 100
    if value == 0 or abs(value) >= 9.95:
        return f"{value:.0f}{SPACE}%"
    if abs(value) >= 0.995:
        return f"{value:.1f}{SPACE}%"
    return f"{value:.2f}{SPACE}%" if abs(value) >= 0.005 else f"<{SPACE}0.01{SPACE}%"


def duration(seconds: Number | None) -> str:
    """Return a length of time in its two largest units: `4 min 10 s`."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{float(seconds):.1f}".removesuffix(".0") + f"{SPACE}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}{SPACE}min {whole % _MINUTE}{SPACE}s"
    return f"{whole // _HOUR}{SPACE}h {whole % _HOUR // _MINUTE}{SPACE}min"


def size(bytes_: int) -> str:
    """Return a file's size in decimal units: `12 MB`."""
    for limit, unit, one in ((1e3, "B", 1.0), (1e6, "kB", 1e3), (1e9, "MB", 1e6)):
        if bytes_ < limit:
            return f"{_three_digits(bytes_ / one)}{SPACE}{unit}"
    return f"{_three_digits(bytes_ / 1e9)}{SPACE}GB"


def day(date: dt.date) -> str:
    """Return `Tue 1 Oct 2019`."""
    return f"{_WEEKDAYS[date.weekday()]} {date.day} {_MONTHS[date.month - 1][:3]} {date.year}"


def short_day(date: dt.date) -> str:
    """Return `1 Oct`."""
    return f"{date.day} {_MONTHS[date.month - 1][:3]}"


def period(first: dt.date, last: dt.date) -> str:
    """Return the days from `first` to `last` without repeating month and year: `1 to 31 October 2019`."""
    month, end = _MONTHS[first.month - 1], f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    if first == last:
        return end
    if first.year != last.year:
        return f"{first.day} {month} {first.year} to {end}"
    return f"{first.day} to {end}" if first.month == last.month else f"{first.day} {month} to {end}"


def hour(value: int) -> str:
    """Return an hour of the day as `09:00`, 24 being the end of the day."""
    return f"{value:02d}:00"


def words(name: str | None) -> str:
    """Return a category or a column name in plain words: `living_room` is `living room`."""
    return NO_CATEGORY if name in _UNCATEGORISED else str(name).replace("_", " ").replace(".", " / ")


def category(department: str | None, sub_category: str | None) -> str:
    """Return a sub-category with its department behind it: `smartphone (electronics)`."""
    if sub_category in _UNCATEGORISED:
        return words(department)
    return words(sub_category) if department in _UNCATEGORISED else f"{words(sub_category)} ({words(department)})"


def listing(items: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def plural(number: int, noun: str) -> str:
    """Return `1 day`, `2 days`."""
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def sentence(text: str) -> str:
    """Return the text with its first letter in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}".removesuffix(".0")
