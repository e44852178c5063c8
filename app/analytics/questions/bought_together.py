"""Bought together

Which two products are bought in the same session? Purchases alone count, not carts. The 50 pairs that most sessions
bought, of those bought together in at least 2 sessions; equal ones by lift, then by product. Product a is the one that
fewer sessions bought (the smaller id where equal), so confidence is the greater of the pair's two. Of a session that
bought more than 100 different products, the 100 that it bought first count (the smaller id where equal).

Asked by: marketing (recommendations, bundles), purchasing.

Columns:
- product_a: product id
- product_b: product id
- label_a: brand and category of product_a
- label_b: brand and category of product_b
- sessions [sessions]: sessions that bought both
- support [0 to 1]: sessions / all sessions with a purchase
- confidence [0 to 1]: sessions / sessions that bought product_a: how likely a buyer of a buys b too
- lift [times]: confidence / share of all sessions with a purchase that bought product_b; 1 is chance
"""

import ibis
import ibis.expr.types as ir

from app.analytics import facts
from app.analytics.measures import rank_by, rate

TOP = 50
MIN_SESSIONS = 2
UNBRANDED = "unbranded"


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    baskets = facts.baskets(events)
    buying = baskets.select("session_key", "session_start").distinct()
    sizes = baskets.group_by("product_id").agg(sessions=baskets.count())
    other = baskets.rename(other_id="product_id")
    pairs = baskets.join(other, ["session_key", "session_start"])
    pairs = pairs.filter(pairs.product_id < pairs.other_id)
    pairs = pairs.group_by(low="product_id", high="other_id").agg(together=pairs.count())
    pairs = pairs.filter(pairs.together >= MIN_SESSIONS)

    pairs = pairs.join(sizes.select(low="product_id", low_sessions="sessions"), "low")
    pairs = pairs.join(sizes.select(high="product_id", high_sessions="sessions"), "high")
    pairs = pairs.cross_join(buying.agg(all_sessions=buying.count()))
    low_first = pairs.low_sessions <= pairs.high_sessions
    pairs = pairs.select(
        "together",
        "all_sessions",
        product_a=low_first.ifelse(pairs.low, pairs.high),
        product_b=low_first.ifelse(pairs.high, pairs.low),
        a_sessions=low_first.ifelse(pairs.low_sessions, pairs.high_sessions),
        b_sessions=low_first.ifelse(pairs.high_sessions, pairs.low_sessions),
    )
    rules = pairs.select(
        "product_a",
        "product_b",
        sessions=pairs.together,
        support=rate(pairs.together, pairs.all_sessions),
        confidence=rate(pairs.together, pairs.a_sessions),
        lift=rate(pairs.together * pairs.all_sessions, pairs.a_sessions * pairs.b_sessions),
    )
    rules = rules.mutate(rank=rank_by(rules.sessions.desc(), rules.lift.desc(), rules.product_a, rules.product_b))
    rules = rules.filter(rules["rank"] <= TOP)

    labels = _labels(facts.purchases(events))
    rules = rules.join(labels.rename(product_a="product_id", label_a="label"), "product_a")
    rules = rules.join(labels.rename(product_b="product_id", label_b="label"), "product_b")
    return rules.select(
        "product_a", "product_b", "label_a", "label_b", "sessions", "support", "confidence", "lift"
    ).order_by(ibis.desc("sessions"), ibis.desc("lift"), "product_a", "product_b")


def _labels(bought: ir.Table) -> ir.Table:
    """One row a product: product_id, label. Of several labels the last in the alphabet."""
    kind = bought["product"].coalesce(bought.sub_category, bought.department, facts.UNCATEGORISED)
    named = bought.select("product_id", label=bought.brand.coalesce(UNBRANDED) + " " + kind)
    return named.group_by("product_id").agg(label=named.label.max())
