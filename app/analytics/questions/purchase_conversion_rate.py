"""From view to purchase, as rates

Of what visitors do in each sub-category, what share is viewing, filling the cart and buying, and how many purchases
come of a view? Products without a category are `uncategorised`.

Asked by: purchasing, marketing.

Columns:
- department: first level of the category
- sub_category: second level of the category
- events [events]: all events of its products, removals from the cart included
- view_share [0 to 1]: views / events
- cart_share [0 to 1]: carts / events
- purchase_share [0 to 1]: purchases / events
- conversion_rate [purchases per view]: purchases / views; NULL where nothing was viewed
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import sub_category_volumes
from app.analytics.measures import rate


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    volumes = sub_category_volumes(events)
    return volumes.select(
        "department",
        "sub_category",
        "events",
        view_share=rate(volumes.views, volumes.events),
        cart_share=rate(volumes.carts, volumes.events),
        purchase_share=rate(volumes.purchases, volumes.events),
        conversion_rate=rate(volumes.purchases, volumes.views),
    ).order_by(ibis.desc("events"), "department", "sub_category")
