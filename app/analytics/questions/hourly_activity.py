"""Activity by hour of the day

At which hours do visitors look, fill carts and buy, and at what prices?

Asked by: marketing (when to send), operations (when to deploy).

Columns:
- hour [hour of the day]: 0 to 23 (UTC), over all days
- event_type: what visitors did
- events [events]: how often
- price_sum [store currency]: the sum of the prices of the products acted on
- price_mean [store currency]: mean price, price_sum / events
"""

import ibis.expr.types as ir

from app.analytics.facts import activity
from app.analytics.measures import mean_money, money, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    hours = acts.group_by("hour", "event_type").agg(events=total(acts.events), cents=total(acts.cents))
    return hours.select(
        "hour",
        "event_type",
        "events",
        price_sum=money(hours.cents),
        price_mean=mean_money(hours.cents, hours.events),
    ).order_by("hour", "event_type")
