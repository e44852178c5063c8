"""Every question answered a second time, in plain loops over rows, from its words and not from its expression.

Rows are dicts with the columns of EVENTS, each event once. An answer is a list of tuples in the question's order.
"""

import statistics
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any, Final

from tests.analytics.reference_sessions import (
    ZERO,
    Answer,
    Row,
    abandoned_carts,
    bot_sessions,
    day_of,
    find_sessions,
    group,
    of_type,
    price_sum,
    ratio,
    session_facts,
    session_funnel,
)


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
    active = set(map(day_of, rows))
    # Of a silence, the first week is listed: the days with an event no longer ago than that.
    days = [
        day
        for day in _days(min(active), max(active))
        if any(day - timedelta(days=before) in active for before in range(8))
    ]
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


def bought_together(rows: list[Row]) -> Answer:
    baskets = [_first_products(of_type(session.rows, "purchase")) for session in find_sessions(rows)]
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


def _first_products(bought: list[Row]) -> set[int]:
    """The 100 products that were bought first."""
    ordered = sorted(bought, key=lambda row: (row["event_time"], row["product_id"]))
    return set(list(dict.fromkeys(row["product_id"] for row in ordered))[:100])


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
            1 + 5 * bisect_left(values, value) // len(buyers) for values, value in zip(ordered, buyer, strict=True)
        )
        groups[scores].append(buyer[2])
    answer = [(*scores, _segment(*scores), len(money), sum(money, ZERO)) for scores, money in groups.items()]
    return sorted(answer, key=lambda row: (-row[0], -row[1], -row[2]))


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
        for later in range(min((max(map(max, weeks.values())) - cohort).days // 7 + 1, 104)):
            count = sum(cohort + timedelta(weeks=later) in active for active in users)
            answer.append((cohort, later, len(users), count, count / len(users)))
    return answer


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
