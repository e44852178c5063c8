"""The days that events may have, as settings give them."""

from datetime import UTC, datetime

import pytest

from app.events.time_bounds import DEFAULT_DAYS, PlausibleDays

SECOND = 1_000_000
DAY = 86_400 * SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


NOW = at("2026-12-01 12:00:00")


def test_both_days_are_included() -> None:
    bounds = PlausibleDays("2019-10-01", "2019-10-31").at(NOW)
    inside = [at("2019-10-01 00:00:00"), at("2019-11-01 00:00:00") - 1]
    outside = [at("2019-10-01 00:00:00") - 1, at("2019-11-01 00:00:00")]
    assert [bounds.admit(time) for time in inside + outside] == [True, True, False, False]


def test_days_ahead_count_from_now() -> None:
    bounds = PlausibleDays(latest="+2d").at(NOW)
    assert [bounds.admit(NOW + 2 * DAY - 1), bounds.admit(NOW + 2 * DAY)] == [True, False]


@pytest.mark.parametrize("year", [2026, 2029, 2040])
def test_the_public_data_set_is_plausible_whenever_it_is_read(year: int) -> None:
    bounds = DEFAULT_DAYS.at(at(f"{year}-12-01 00:00:00"))
    assert bounds.admit(at("2019-10-01 00:00:00"))
    assert not bounds.admit(at("1970-01-01 00:00:00"))


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31"])
def test_a_bound_may_be_any_day_of_the_calendar(text: str) -> None:
    assert PlausibleDays(text, text).at(NOW).admit(at(f"{text} 23:59:59"))


@pytest.mark.parametrize("earliest", ["", "2019", "2019-02-30", "+1d", "2019-10-01 00:00", "\uff12019-10-01"])
def test_a_wrong_first_day_is_named(earliest: str) -> None:
    with pytest.raises(ValueError, match=r"^earliest is .*2017-01-01"):
        PlausibleDays(earliest)


@pytest.mark.parametrize("latest", ["", "2019", "2019-02-30", "1d", "+d", "+99999d", "-1d", "2016-12-31"])
def test_a_wrong_last_day_is_named(latest: str) -> None:
    with pytest.raises(ValueError, match=r"^latest is "):
        PlausibleDays("2017-01-01", latest)
