"""Purchases by category

Which departments are bought from, and which bring the money? Products without a category are `uncategorised`.

Asked by: store management, purchasing.

Columns:
- department: first level of the category
- purchases [events]: products bought
- revenue [store currency]: the sum of their prices
- share [0 to 1]: purchases / all purchases
- revenue_share [0 to 1]: revenue / all revenue
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import UNCATEGORISED, activity
from app.analytics.measures import money, share, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    bought = acts.filter(acts.event_type == "purchase").mutate(department=acts.department.coalesce(UNCATEGORISED))
    sums = bought.group_by("department").agg(purchases=total(bought.events), cents=total(bought.cents))
    return sums.select(
        "department",
        "purchases",
        revenue=money(sums.cents),
        share=share(sums.purchases),
        revenue_share=share(sums.cents),
    ).order_by(ibis.desc("revenue"), "department")
