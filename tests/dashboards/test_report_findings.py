from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from app.dashboards.report.findings import findings
from app.dashboards.report.formats import SPACE

DAY = date(2019, 10, 1)


def _text(question: str, rows: list[dict[str, Any]]) -> str:
    found = findings({question: pa.Table.from_pylist(rows)})
    return "".join(finding.text for finding in found).replace(SPACE, " ")


def _revenue(revenues: list[int], unusual: dict[int, float | None]) -> list[dict[str, Any]]:
    return [
        {
            "event_date": DAY + timedelta(days=index),
            "revenue": Decimal(revenue),
            "deviation": unusual.get(index, 0.5),
            "is_anomaly": index in unusual,
        }
        for index, revenue in enumerate(revenues)
    ]


def _hours(events: dict[int, int]) -> list[dict[str, Any]]:
    return [{"hour": hour, "event_type": "view", "events": number} for hour, number in events.items()]


def test_says_which_category_brings_the_revenue() -> None:
    rows = [
        {"department": "computers", "revenue": Decimal(320), "revenue_share": 0.32},
        {"department": "electronics", "revenue": Decimal(680), "revenue_share": 0.68},
    ]
    assert _text("purchases_by_category", rows) == "68 % of the revenue comes from electronics."


def test_says_so_where_most_revenue_has_no_category() -> None:
    rows = [{"department": "uncategorised", "revenue": Decimal(5), "revenue_share": 1.0}]
    assert _text("purchases_by_category", rows) == "100 % of the revenue comes from products without category."


def test_names_the_three_busiest_hours_also_over_midnight() -> None:
    events = dict.fromkeys(range(24), 10) | {23: 100, 0: 200, 1: 100}
    expected = "Most visitors come between 23:00 and 02:00 UTC: 66 % of all events."
    assert _text("hourly_activity", _hours(events)) == expected


def test_names_no_busiest_hours_where_half_of_the_day_is_missing() -> None:
    assert _text("hourly_activity", _hours({0: 10, 1: 20, 2: 3000})) == ""


def test_names_the_days_furthest_out_of_line_first() -> None:
    rows = _revenue([100, 101, 99, 100, 500, 100, 20, 100, 300, 100], {4: 9.0, 6: -2.1, 8: 3.0, 9: None})
    expected = "4 days stand out by revenue: 10 Oct (100.00), 5 Oct (500.00) and 9 Oct (300.00) and 1 more."
    assert _text("daily_revenue", rows) == expected


def test_finds_no_unusual_day_where_too_few_have_revenue() -> None:
    assert _text("daily_revenue", _revenue([500, 0, 0, 0, 0, 0, 0, 0, 0, 20], {9: None})) == ""


def test_says_that_no_day_stands_out() -> None:
    assert _text("daily_revenue", _revenue([100] * 10, {})) == "No day's revenue stands out among 10 days."


def test_a_sub_category_with_few_purchases_does_not_convert_best() -> None:
    lucky = {"sub_category": "shoes", "events": 3, "purchase_share": 1 / 3, "conversion_rate": 0.5}
    steady = {"sub_category": "phone", "events": 1000, "purchase_share": 0.03, "conversion_rate": 0.031}
    rows = [{"department": "d"} | lucky, {"department": "d"} | steady]
    assert _text("purchase_conversion_rate", rows) == "Best conversion: phone (d), with 3.1 purchases per 100 views."


def test_one_brand_may_sell_most_and_another_earn_most() -> None:
    rows = [
        {"rank": 1, "brand": "samsung", "purchases": 20, "revenue": Decimal(4000)},
        {"rank": 2, "brand": "apple", "purchases": 1, "revenue": Decimal(90_000)},
    ]
    assert _text("top_brands", rows) == "Samsung sells most often (20 purchases), Apple earns most (90 k)."


def test_counts_who_comes_back_over_all_cohorts() -> None:
    rows = [
        {"weeks_later": 0, "cohort_users": 100, "active_users": 100},
        {"weeks_later": 1, "cohort_users": 100, "active_users": 40},
        {"weeks_later": 1, "cohort_users": 300, "active_users": 60},
    ]
    assert _text("weekly_retention", rows) == "25 % of visitors come back in the week after their first visit."


@pytest.mark.parametrize("question", ["abandoned_carts", "bot_sessions", "rfm_segments", "top_brands"])
def test_an_empty_answer_says_nothing(question: str, report_answers: dict[str, pa.Table]) -> None:
    assert findings({question: report_answers[question].slice(0, 0)}) == []
