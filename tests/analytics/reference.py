"""Every question answered a second time, in plain loops over rows, from its words and not from its expression.

Rows are dicts with the columns of EVENTS, each event once. An answer is a list of tuples in the question's order.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
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


def find_sessions(rows: list[Row]) -> list[Session]:
    by_key: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[row["user_session"] or f"user:{row['user_id']}"].append(row)
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


def daily_activity(rows: list[Row]) -> Answer:
    sessions: Counter[Any] = Counter()
    for session in find_sessions(rows):
        sessions.update({(day_of(row), row["event_type"]) for row in session.rows})
    return [
        (
            *key,
            len(group_rows),
            len({row["user_id"] for row in group_rows}),
            sessions[key],
            price_sum(of_type(group_rows, "purchase")),
        )
        for key, group_rows in sorted(group(rows, lambda row: (day_of(row), row["event_type"])).items())
    ]


def hourly_activity(rows: list[Row]) -> Answer:
    groups = group(rows, lambda row: (row["event_time"].hour, row["event_type"]))
    return [
        (*key, len(of_hour), price_sum(of_hour), float(price_sum(of_hour)) / len(of_hour))
        for key, of_hour in sorted(groups.items())
    ]


def event_types(rows: list[Row]) -> Answer:
    counts = Counter(row["event_type"] for row in rows)
    return [(name, count, count / len(rows)) for name, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))]


def most_viewed_sub_categories(rows: list[Row]) -> Answer:
    viewed = [row for row in of_type(rows, "view") if row["sub_category"] is not None]
    groups = group(viewed, lambda row: (row["department"], row["sub_category"]))
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:20]
    return [
        (rank, *key, len(views), len({row["user_id"] for row in views})) for rank, (key, views) in enumerate(ranked, 1)
    ]


def views_by_category(rows: list[Row]) -> Answer:
    counts = Counter(row["department"] or "uncategorised" for row in of_type(rows, "view"))
    return [
        (name, count, count / counts.total()) for name, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))
    ]


def purchases_by_category(rows: list[Row]) -> Answer:
    bought = of_type(rows, "purchase")
    groups = group(bought, lambda row: row["department"] or "uncategorised")
    answer = [
        (
            name,
            len(items),
            price_sum(items),
            len(items) / len(bought),
            ratio(float(price_sum(items)), float(price_sum(bought))),
        )
        for name, items in groups.items()
    ]
    return sorted(answer, key=lambda row: (-row[2], row[0]))


def _by_sub_category(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    return group(rows, lambda row: (row["department"] or "uncategorised", row["sub_category"] or "uncategorised"))


def purchase_conversion_volume(rows: list[Row]) -> Answer:
    answer = [
        (*key, *(len(of_type(items, kind)) for kind in ("view", "cart", "purchase")))
        for key, items in _by_sub_category(rows).items()
    ]
    return sorted(answer, key=lambda row: (-row[2], row[0], row[1]))


def purchase_conversion_rate(rows: list[Row]) -> Answer:
    answer = []
    for key, items in _by_sub_category(rows).items():
        views, carts, bought = (len(of_type(items, kind)) for kind in ("view", "cart", "purchase"))
        count = len(items)
        answer.append((*key, count, views / count, carts / count, bought / count, ratio(bought, views)))
    return sorted(answer, key=lambda row: (-row[2], row[0], row[1]))


def top_brands(rows: list[Row]) -> Answer:
    bought = [row for row in of_type(rows, "purchase") if row["brand"] is not None]
    brands = [(name, len(items), price_sum(items)) for name, items in group(bought, lambda row: row["brand"]).items()]
    ranked = sorted(brands, key=lambda brand: (-brand[1], -brand[2], brand[0]))[:20]
    return [(rank, *brand) for rank, brand in enumerate(ranked, 1)]


def daily_revenue(rows: list[Row]) -> Answer:
    if not rows:
        return []
    bought = group(of_type(rows, "purchase"), day_of)
    days = list(_days(min(map(day_of, rows)), max(map(day_of, rows))))
    revenue = [price_sum(bought.get(day, [])) for day in days]
    answer: Answer = []
    for index, day in enumerate(days):
        mean = deviation = None
        is_anomaly = False
        if index >= 7:
            before = revenue[index - 7 : index]
            middle, spread = statistics.mean(before), statistics.stdev(before)
            mean = float(middle)
            if spread:
                deviation = float((revenue[index] - middle) / spread)
                is_anomaly = abs(deviation) > 2
            else:
                is_anomaly = revenue[index] != middle
        answer.append((day, revenue[index], len(bought.get(day, [])), mean, deviation, is_anomaly))
    return answer


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


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


def bought_together(rows: list[Row]) -> Answer:
    baskets = [{row["product_id"] for row in of_type(session.rows, "purchase")} for session in find_sessions(rows)]
    baskets = [basket for basket in baskets if basket]
    alone = Counter(product for basket in baskets for product in basket)
    pairs = Counter(pair for basket in baskets for pair in combinations(sorted(basket), 2))
    labels = {
        product: max(
            f"{row['brand'] or 'unbranded'} "
            f"{row['product'] or row['sub_category'] or row['department'] or 'uncategorised'}"
            for row in items
        )
        for product, items in group(of_type(rows, "purchase"), lambda row: row["product_id"]).items()
    }
    rules: Answer = []
    for pair, count in pairs.items():
        if count < 2:
            continue
        a, b = sorted(pair, key=lambda product: (alone[product], product))
        lift = count * len(baskets) / (alone[a] * alone[b])
        rules.append((a, b, labels[a], labels[b], count, count / len(baskets), count / alone[a], lift))
    return sorted(rules, key=lambda rule: (-rule[4], -rule[7], rule[0], rule[1]))[:50]


def rfm_segments(rows: list[Row]) -> Answer:
    buyers = [
        (max(row["event_time"] for row in items), len(items), price_sum(items))
        for items in group(of_type(rows, "purchase"), lambda row: row["user_id"]).values()
    ]
    ordered = [sorted(values) for values in zip(*buyers, strict=True)]
    groups: dict[tuple[int, ...], list[Decimal]] = defaultdict(list)
    for buyer in buyers:
        # The place of the first equal value is the number of buyers who are behind.
        scores = tuple(
            1 + 5 * _count_below(values, value) // len(buyers) for values, value in zip(ordered, buyer, strict=True)
        )
        groups[scores].append(buyer[2])
    answer = [(*scores, _segment(*scores), len(money), sum(money, ZERO)) for scores, money in groups.items()]
    return sorted(answer, key=lambda row: (-row[0], -row[1], -row[2]))


def _count_below(ordered: list[Any], value: Any) -> int:
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


def _segment(recency: int, frequency: int, money: int) -> str:
    if frequency >= 4:
        return "champions" if recency >= 4 else "loyal" if recency == 3 else "at_risk"
    if money == 5:
        return "big_spenders"
    return "new" if recency >= 4 else "lost" if recency <= 2 else "regular"


def weekly_retention(rows: list[Row]) -> Answer:
    weeks: dict[int, set[date]] = defaultdict(set)
    for row in rows:
        weeks[row["user_id"]].add(day_of(row) - timedelta(days=day_of(row).weekday()))
    cohorts: dict[date, list[set[date]]] = defaultdict(list)
    for active in weeks.values():
        cohorts[min(active)].append(active)
    answer: Answer = []
    for cohort, users in sorted(cohorts.items()):
        for later in range((max(map(max, weeks.values())) - cohort).days // 7 + 1):
            count = sum(cohort + timedelta(weeks=later) in active for active in users)
            answer.append((cohort, later, len(users), count, count / len(users)))
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


ANSWERS: Final[dict[str, Callable[[list[Row]], Answer]]] = {
    answer.__name__: answer
    for answer in (
        daily_activity,
        hourly_activity,
        event_types,
        most_viewed_sub_categories,
        views_by_category,
        purchases_by_category,
        purchase_conversion_volume,
        purchase_conversion_rate,
        top_brands,
        daily_revenue,
        session_facts,
        session_funnel,
        abandoned_carts,
        bought_together,
        rfm_segments,
        weekly_retention,
        bot_sessions,
    )
}
