"""Revenue by day, with anomalies

How does the revenue go from day to day, and which days are out of line? Every day from the first event to the last has
a row; of a silence without any event only the first 7 days do, the others being like them. A day is measured against
the 7 days before it: it is an anomaly if its revenue is more than 2 standard deviations (sample) away from their mean,
or differs at all where these 7 days are equal. The first 7 days have nothing to be measured against and are none.

Asked by: store management, finance, whoever is on call for tracking.

Columns:
- event_date: the day (UTC)
- revenue [store currency]: the sum of prices of purchases, 0.00 on a day without
- purchases [events]: products bought
- mean_7d [store currency]: mean revenue of the 7 days before; NULL for the first 7 days
- deviation [standard deviations]: (revenue - mean_7d) / standard deviation of the 7 days before; NULL for the first 7
  days and where that is 0
- is_anomaly: whether the day is out of line
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import activity, purchases
from app.analytics.measures import days_and_after, money, total

DAYS = 7
LIMIT = 2.0
"""Standard deviations beyond which a day is an anomaly."""


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    bought = purchases(events)
    sums = bought.group_by("event_date").agg(purchases=bought.count(), cents=total(bought.cents))
    days = days_and_after(acts.select("event_date").distinct(), DAYS).left_join(sums, "event_date")
    days = days.select(
        "event_date",
        purchases=days.purchases.fill_null(0),
        cents=days.cents.fill_null(0),
    )
    # Each of the 7 days stands in the formula by itself, so that every engine adds the same floats in the same order.
    in_order = ibis.window(order_by="event_date")
    days = days.mutate(**{f"cents_{n}": days.cents.lag(n).over(in_order) for n in range(1, DAYS + 1)})
    before = [days[f"cents_{n}"] for n in range(1, DAYS + 1)]
    sum_before = before[0]
    for cents in before[1:]:
        sum_before = sum_before + cents
    days = days.mutate(
        today=days.cents.cast("float64") / 100.0,
        mean_7d=sum_before.cast("float64") / (DAYS * 100.0),
    )
    squares = [(days[f"cents_{n}"].cast("float64") / 100.0 - days.mean_7d) for n in range(1, DAYS + 1)]
    sum_squares = squares[0] * squares[0]
    for distance in squares[1:]:
        sum_squares = sum_squares + distance * distance
    days = days.mutate(spread=(sum_squares / (DAYS - 1.0)).sqrt())
    days = days.mutate(deviation=(days.today - days.mean_7d) / days.spread.nullif(0.0))
    return (
        days.select(
            "event_date",
            "purchases",
            "mean_7d",
            "deviation",
            revenue=money(days.cents),
            is_anomaly=(
                (days.deviation.abs() > LIMIT) | ((days.spread == 0.0) & (days.today != days.mean_7d))
            ).fill_null(False),
        )
        .select("event_date", "revenue", "purchases", "mean_7d", "deviation", "is_anomaly")
        .order_by("event_date")
    )
