"""Abandoned carts

How many carts are left standing each day, and what are they worth? A cart is abandoned if its session puts something
into it and buys nothing. What was taken out of the cart again does not count as left. The day is that on which the
session began.

Asked by: marketing (reminders), store management.

Columns:
- event_date: the day (UTC) on which the sessions began
- sessions_with_cart [sessions]: sessions that put something into the cart
- abandoned_sessions [sessions]: those of them without a purchase
- abandoned_rate [0 to 1]: abandoned_sessions / sessions_with_cart
- abandoned_items [products]: products put into the abandoned carts less those removed
- abandoned_value [store currency]: the sum of their prices
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import sessions
from app.analytics.measures import cents, count_if, money, rate, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    visited = sessions(events)
    carts = visited.filter(visited.carts > 0)
    abandoned = carts.purchases == 0
    left_cents = cents(carts.cart_value) - cents(carts.removed_value)
    carts = carts.select(
        event_date=carts.session_start.date(),
        abandoned=abandoned,
        items=ibis.greatest(carts.carts - carts.removals, 0),
        cents=ibis.greatest(left_cents, 0),
    )
    days = carts.group_by("event_date").agg(
        sessions_with_cart=carts.count(),
        abandoned_sessions=count_if(carts.abandoned),
        abandoned_items=total(carts["items"], where=carts.abandoned),
        abandoned_cents=total(carts.cents, where=carts.abandoned),
    )
    return days.select(
        "event_date",
        "sessions_with_cart",
        "abandoned_sessions",
        abandoned_rate=rate(days.abandoned_sessions, days.sessions_with_cart),
        abandoned_items=days.abandoned_items,
        abandoned_value=money(days.abandoned_cents),
    ).order_by("event_date")
