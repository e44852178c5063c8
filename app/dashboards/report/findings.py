"""What the answers say, in sentences. Each finding is computed from one answer and says nothing without data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.charts.activity import EVENT_NAMES
from app.dashboards.report.charts.buyers import by_segment
from app.dashboards.report.figures import rows_of

_HOURS: Final = 3
"""Length of the busiest stretch of the day."""

_HOURS_FOR_A_RHYTHM: Final = 12
"""With fewer hours in the data, its busiest hours say nothing about the day."""

_DAYS_FOR_A_RHYTHM: Final = 8
"""A day is measured against the seven before it."""

_DAYS_NAMED: Final = 3

_PURCHASES_TO_JUDGE: Final = 20
"""A sub-category with fewer purchases may convert well by chance."""


@dataclass(frozen=True)
class Finding:
    """A sentence with the numbers in it; `question` is the answer that it was read from."""

    text: str
    question: str


def findings(answers: Mapping[str, pa.Table]) -> list[Finding]:
    """Return what stands out in the answers, the most important first."""
    found = []
    for question, find in _FINDERS:
        if question in answers and answers[question].num_rows:
            text = find(answers[question])
            if text:
                found.append(Finding(text, question))
    return found


def _revenue_by_category(answer: pa.Table) -> str:
    rows = [row for row in rows_of(answer, "department", "revenue", "revenue_share") if row["revenue"]]
    if not rows:
        return ""
    first = max(rows, key=lambda row: row["revenue"])
    name = formats.words(first["department"])
    subject = f"products {name}" if name == formats.NO_CATEGORY else name
    return f"{formats.percent(first['revenue_share'])} of the revenue comes from {subject}."


def _funnel(answer: pa.Table) -> str:
    row = rows_of(answer, "sessions", "sessions_with_cart", "purchase_rate")[0]
    if not row["sessions"]:
        return ""
    return (
        f"{formats.percent(row['sessions_with_cart'] / row['sessions'])} of the sessions put something into a cart, "
        f"{formats.percent(row['purchase_rate'])} end in a purchase."
    )


def _busiest_hours(answer: pa.Table) -> str:
    events = dict.fromkeys(range(24), 0)
    for row in rows_of(answer, "hour", "events"):
        events[row["hour"]] += row["events"]
    if sum(number > 0 for number in events.values()) < _HOURS_FOR_A_RHYTHM:
        return ""
    stretch = {start: sum(events[(start + hour) % 24] for hour in range(_HOURS)) for start in events}
    start = max(stretch, key=lambda hour: stretch[hour])
    return (
        f"Most visitors come between {formats.hour(start)} and {formats.hour((start + _HOURS - 1) % 24 + 1)} UTC: "
        f"{formats.percent(stretch[start] / sum(events.values()))} of all events."
    )


def _unusual_days(answer: pa.Table) -> str:
    rows = rows_of(answer, "event_date", "revenue", "deviation", "is_anomaly")
    unusual = sorted(
        (row for row in rows if row["is_anomaly"]),
        key=lambda row: (-abs(row["deviation"] or math.inf), row["event_date"]),
    )
    if sum(row["revenue"] > 0 for row in rows) < _DAYS_FOR_A_RHYTHM:
        return ""
    if not unusual:
        return f"No day's revenue stands out among {len(rows)} days."
    days = [
        f"{formats.short_day(row['event_date'])} ({formats.amount(row['revenue'])})" for row in unusual[:_DAYS_NAMED]
    ]
    more = f" and {len(unusual) - _DAYS_NAMED} more" if len(unusual) > _DAYS_NAMED else ""
    verb = "stands" if len(unusual) == 1 else "stand"
    return f"{formats.plural(len(unusual), 'day')} {verb} out by revenue: {formats.listing(days)}{more}."


def _left_carts(answer: pa.Table) -> str:
    rows = rows_of(answer, "sessions_with_cart", "abandoned_sessions", "abandoned_value")
    carts, left = (sum(row[column] for row in rows) for column in ("sessions_with_cart", "abandoned_sessions"))
    value = sum(row["abandoned_value"] or 0 for row in rows)
    return f"{formats.percent(left / carts)} of carts are left behind, worth {formats.amount(value)}." if left else ""


def _brands(answer: pa.Table) -> str:
    rows = rows_of(answer, "rank", "brand", "purchases", "revenue")
    sold, earned = (max(rows, key=lambda row: row[column]) for column in ("purchases", "revenue"))
    if sold["brand"] == earned["brand"]:
        return (
            f"{formats.sentence(sold['brand'])} sells most often and earns most: {formats.count(sold['purchases'])} "
            f"purchases, {formats.amount(sold['revenue'])} of revenue."
        )
    return (
        f"{formats.sentence(sold['brand'])} sells most often ({formats.plural(sold['purchases'], 'purchase')}), "
        f"{formats.sentence(earned['brand'])} earns most ({formats.amount(earned['revenue'])})."
    )


def _best_conversion(answer: pa.Table) -> str:
    rows = rows_of(answer, "department", "sub_category", "events", "purchase_share", "conversion_rate")
    judged = [
        row for row in rows if row["conversion_rate"] and row["events"] * row["purchase_share"] >= _PURCHASES_TO_JUDGE
    ]
    if not judged:
        return ""
    best = max(judged, key=lambda row: row["conversion_rate"])
    return (
        f"Best conversion: {formats.category(best['department'], best['sub_category'])}, with "
        f"{formats.decimal(best['conversion_rate'] * 100)} purchases per 100 views."
    )


def _segments(answer: pa.Table) -> str:
    users, revenue = by_segment(rows_of(answer, "segment", "users", "revenue"))
    total = sum(revenue.values())
    if not total or len(revenue) == 1:
        return ""
    best = max(revenue, key=lambda name: (revenue[name], name))
    return (
        f"The segment \N{LEFT DOUBLE QUOTATION MARK}{formats.words(best)}\N{RIGHT DOUBLE QUOTATION MARK} holds "
        f"{formats.percent(users[best] / sum(users.values()))} of all buyers and brings "
        f"{formats.percent(revenue[best] / total)} of the revenue."
    )


def _return(answer: pa.Table) -> str:
    rows = [row for row in rows_of(answer, "weeks_later", "cohort_users", "active_users") if row["weeks_later"] == 1]
    users = sum(row["cohort_users"] for row in rows)
    share = sum(row["active_users"] for row in rows) / users if users else 0
    if not share:
        return ""
    return f"{formats.percent(share)} of visitors come back in the week after their first visit."


def _bots(answer: pa.Table) -> str:
    events = sum(row["events"] for row in rows_of(answer, "events"))
    verb = "looks" if answer.num_rows == 1 else "look"
    return f"{formats.plural(answer.num_rows, 'session')} {verb} automated, with {formats.compact(events)} events."


def _views(answer: pa.Table) -> str:
    shares = {row["event_type"]: row["share"] for row in rows_of(answer, "event_type", "share")}
    first = max(shares, key=lambda kind: shares[kind])
    return (
        f"{formats.percent(shares[first])} of all events are {EVENT_NAMES.get(first, first).lower()}." if shares else ""
    )


_FINDERS: Final[tuple[tuple[str, Callable[[pa.Table], str]], ...]] = (
    ("purchases_by_category", _revenue_by_category),
    ("session_funnel", _funnel),
    ("abandoned_carts", _left_carts),
    ("hourly_activity", _busiest_hours),
    ("daily_revenue", _unusual_days),
    ("top_brands", _brands),
    ("purchase_conversion_rate", _best_conversion),
    ("rfm_segments", _segments),
    ("weekly_retention", _return),
    ("bot_sessions", _bots),
    ("event_types", _views),
)
