"""From view to purchase, in numbers

How many views, carts and purchases does each sub-category have? Products without a category are `uncategorised`.

Asked by: purchasing, marketing.

Columns:
- department: first level of the category
- sub_category: second level of the category
- views [events]: products viewed
- carts [events]: products put into a cart
- purchases [events]: products bought
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import sub_category_volumes


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    return (
        sub_category_volumes(events)
        .select("department", "sub_category", "views", "carts", "purchases")
        .order_by(ibis.desc("views"), "department", "sub_category")
    )
