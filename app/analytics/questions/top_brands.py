"""Top brands

Which 20 brands are bought most? Purchases without a brand are left out; equal purchases are ranked by revenue, then
by name.

Asked by: purchasing, marketing.

Columns:
- rank [position]: 1 for the most bought
- brand: the brand
- purchases [events]: products of the brand bought
- revenue [store currency]: the sum of their prices
"""

import ibis.expr.types as ir

from app.analytics.facts import purchases
from app.analytics.measures import money, rank_by, total

TOP = 20


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    bought = purchases(events)
    branded = bought.filter(bought.brand.notnull())
    brands = branded.group_by("brand").agg(purchases=branded.count(), cents=total(branded.cents))
    ranked = brands.mutate(rank=rank_by(brands.purchases.desc(), brands.cents.desc(), brands.brand))
    top = ranked.filter(ranked["rank"] <= TOP)
    return top.select("rank", "brand", "purchases", revenue=money(top.cents)).order_by("rank")
