"""Event times: as bytes in the canonical form, many at once without a loop over rows; or one text of any form."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

SECONDS_WIDTH: Final = len("2019-10-01 00:00:00")
_DATE_DIGITS: Final = [0, 1, 2, 3, 5, 6, 8, 9]
_DATE_WEIGHTS: Final = np.array([10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1], np.int32)
_CLOCK_DIGITS: Final = [11, 12, 14, 15, 17, 18]
_CLOCK_WEIGHTS: Final = np.array([36_000, 3_600, 600, 60, 10, 1], np.int32)
_SIGNS: Final = [4, 7, 10, 13, 16]
_SIGN_BYTES: Final = np.frombuffer(b"-- ::", np.uint8)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_TIME: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?: ?(?:UTC|Z|(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?))?",
    re.ASCII,
)


def read_times(text: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Microseconds since the epoch of times `YYYY-MM-DD HH:MM:SS`, and whether each is a time of the calendar.

    Args:
        text: a row for each time, with its bytes in the first 19 columns.
    """
    if not len(text):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    dates, clock = text[:, _DATE_DIGITS] - ord("0"), text[:, _CLOCK_DIGITS] - ord("0")
    valid = (text[:, _SIGNS] == _SIGN_BYTES).all(axis=1) & (dates <= 9).all(axis=1) & (clock <= 9).all(axis=1)
    valid &= (clock[:, 0] * 10 + clock[:, 1] <= 23) & (clock[:, 2] <= 5) & (clock[:, 4] <= 5)
    days, is_date = _days(dates.astype(np.int32) @ _DATE_WEIGHTS)
    return (days * 86_400 + clock.astype(np.int32) @ _CLOCK_WEIGHTS) * 1_000_000, valid & is_date


def _days(dates: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Days since the epoch of dates written as yyyymmdd, and whether each is a date; they are few in a block."""
    if dates[0] == dates.min() == dates.max():
        distinct, inverse = dates[:1], np.zeros(len(dates), np.intp)
    else:
        distinct, inverse = np.unique(dates, return_inverse=True)
    days = np.zeros(len(distinct), np.int64)
    valid = np.ones(len(distinct), bool)
    for i, yyyymmdd in enumerate(distinct.tolist()):
        try:
            days[i] = date(yyyymmdd // 10_000, yyyymmdd // 100 % 100, yyyymmdd % 100).toordinal() - _EPOCH
        except ValueError:
            valid[i] = False
    return days[inverse], valid[inverse]


def read_time(text: str) -> datetime | None:
    """The time, in UTC, that a text of any of the forms that writers of CSV use stands for; None for another text.

    `2019-10-01 00:00:00 UTC`, as published; with a `T`, a fraction of up to nine digits of which six count, `Z` or an
    offset such as `+00:00`, as pandas and Spark write it. Without a zone it is UTC.
    """
    match = _TIME.fullmatch(text)
    if not match:
        return None
    try:
        time = datetime.fromisoformat(f"{match['date']} {match['clock']}")
        time = time.replace(microsecond=int((match["fraction"] or "0")[:6].ljust(6, "0")), tzinfo=UTC)
        if match["sign"]:
            offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or "0"))
            time = time - offset if match["sign"] == "+" else time + offset
    except (ValueError, OverflowError):
        return None
    return time
