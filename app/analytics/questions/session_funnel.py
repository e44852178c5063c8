"""The funnel by session

Of all sessions, how many look at something, put something into the cart and buy? Each step counts sessions, so no rate
exceeds 1. Sessions that buy without a cart (the store's quick purchase, or a cart filled in an earlier session) are
counted by themselves.

Asked by: store management, product design.

Columns:
- sessions [sessions]: all sessions
- sessions_with_view [sessions]: at least one view
- sessions_with_cart [sessions]: at least one product put into the cart
- sessions_with_purchase [sessions]: at least one purchase
- sessions_with_view_and_cart [sessions]: both
- sessions_with_cart_and_purchase [sessions]: both
- purchases_without_cart [sessions]: a purchase and nothing put into the cart
- view_to_cart_rate [0 to 1]: sessions_with_view_and_cart / sessions_with_view
- cart_to_purchase_rate [0 to 1]: sessions_with_cart_and_purchase / sessions_with_cart
- purchase_rate [0 to 1]: sessions_with_purchase / sessions
"""

import ibis.expr.types as ir

from app.analytics.facts import sessions
from app.analytics.measures import count_if, rate


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    visited = sessions(events)
    view, cart, purchase = visited.views > 0, visited.carts > 0, visited.purchases > 0
    steps = visited.agg(
        sessions=visited.count(),
        sessions_with_view=count_if(view),
        sessions_with_cart=count_if(cart),
        sessions_with_purchase=count_if(purchase),
        sessions_with_view_and_cart=count_if(view & cart),
        sessions_with_cart_and_purchase=count_if(cart & purchase),
        purchases_without_cart=count_if(purchase & ~cart),
    )
    return steps.mutate(
        view_to_cart_rate=rate(steps.sessions_with_view_and_cart, steps.sessions_with_view),
        cart_to_purchase_rate=rate(steps.sessions_with_cart_and_purchase, steps.sessions_with_cart),
        purchase_rate=rate(steps.sessions_with_purchase, steps.sessions),
    ).order_by("sessions")
