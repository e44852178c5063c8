"""Sessions in plain loops, and the second answer to questions about them; `reference` has the others."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

Row = dict[str, Any]
Answer = list[tuple[Any, ...]]

GAP: Final = timedelta(minutes=30)
ZERO: Final = Decimal("0.00")


@dataclass
class Session:
    """A session's events in order of time."""

    key: str
    rows: list[Row] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        return self.rows[0]["event_time"]  # type: ignore[no-any-return]

    @property
    def end(self) -> datetime:
        return self.rows[-1]["event_time"]  # type: ignore[no-any-return]

    @property
    def seconds(self) -> int:
        return int((self.end.replace(microsecond=0) - self.start.replace(microsecond=0)).total_seconds())

    def count(self, event_type: str) -> int:
        return sum(row["event_type"] == event_type for row in self.rows)

    def value(self, event_type: str) -> Decimal:
        return price_sum(row for row in self.rows if row["event_type"] == event_type)


def key_of(name: str | None, user: int) -> str:
    """The key of a session; a name that reads like a visitor's key is marked."""
    if not name:
        return f"user:{user}"
    return f"user::{name}" if name.startswith("user:") else name


def find_sessions(rows: list[Row]) -> list[Session]:
    by_key: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[key_of(row["user_session"], row["user_id"])].append(row)
    found: list[Session] = []
    for key, events in by_key.items():
        last: datetime | None = None
        for row in sorted(events, key=lambda row: row["event_time"]):
            if last is None or row["event_time"] - last >= GAP:
                found.append(Session(key))
            found[-1].rows.append(row)
            last = row["event_time"]
    return found


def price_sum(rows: Iterable[Row]) -> Decimal:
    return sum((row["price"] for row in rows), ZERO)


def ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def day_of(row: Row) -> date:
    return row["event_time"].date()  # type: ignore[no-any-return]


def group(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def of_type(rows: Iterable[Row], event_type: str) -> list[Row]:
    return [row for row in rows if row["event_type"] == event_type]


def session_facts(rows: list[Row]) -> Answer:
    days: dict[date, list[Session]] = defaultdict(list)
    for session in find_sessions(rows):
        days[session.start.date()].append(session)
    answer: Answer = []
    for day, sessions in sorted(days.items()):
        count = len(sessions)
        bounces = sum(len(session.rows) == 1 for session in sessions)
        answer.append(
            (
                day,
                count,
                sum(len(session.rows) for session in sessions) / count,
                sum(session.seconds for session in sessions) / count,
                bounces,
                bounces / count,
                float(sum(session.value("purchase") for session in sessions)) / count,
            )
        )
    return answer


def session_funnel(rows: list[Row]) -> Answer:
    steps = [
        (bool(session.count("view")), bool(session.count("cart")), bool(session.count("purchase")))
        for session in find_sessions(rows)
    ]
    views, carts, bought = (sum(step) for step in (zip(*steps, strict=True) if steps else ((), (), ())))
    view_and_cart = sum(view and cart for view, cart, _ in steps)
    cart_and_purchase = sum(cart and purchase for _, cart, purchase in steps)
    return [
        (
            len(steps),
            views,
            carts,
            bought,
            view_and_cart,
            cart_and_purchase,
            sum(purchase and not cart for _, cart, purchase in steps),
            ratio(view_and_cart, views),
            ratio(cart_and_purchase, carts),
            ratio(bought, len(steps)),
        )
    ]


def abandoned_carts(rows: list[Row]) -> Answer:
    days: dict[date, list[Session]] = defaultdict(list)
    for session in find_sessions(rows):
        if session.count("cart"):
            days[session.start.date()].append(session)
    answer: Answer = []
    for day, sessions in sorted(days.items()):
        left = [session for session in sessions if not session.count("purchase")]
        items = sum(max(session.count("cart") - session.count("remove_from_cart"), 0) for session in left)
        value = sum((max(session.value("cart") - session.value("remove_from_cart"), ZERO) for session in left), ZERO)
        answer.append((day, len(sessions), len(left), len(left) / len(sessions), items, value))
    return answer


def bot_sessions(rows: list[Row]) -> Answer:
    answer: Answer = []
    for session in find_sessions(rows):
        count = len(session.rows)
        products = len({row["product_id"] for row in session.rows})
        per_minute = 60 * count / max(session.seconds, 1)
        if count >= 10 and (per_minute >= 6 or math.isclose(per_minute, 6)):
            reason = "too_fast"
        elif count >= 200:
            reason = "too_many_events"
        elif count >= 30 and products == 1:
            reason = "one_product"
        else:
            continue
        user = min(row["user_id"] for row in session.rows)
        answer.append((session.key, session.start, user, count, session.seconds, per_minute, products, reason))
    return sorted(answer, key=lambda row: (-row[3], row[4], row[0], row[1]))
