"""Views by category

What share of the views does each department draw? Products without a category are `uncategorised`.

Asked by: purchasing, marketing.

Columns:
- department: first level of the category
- views [events]: views of its products
- share [0 to 1]: views / all views
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import UNCATEGORISED, activity
from app.analytics.measures import share, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    viewed = acts.filter(acts.event_type == "view").mutate(department=acts.department.coalesce(UNCATEGORISED))
    views = viewed.group_by("department").agg(views=total(viewed.events))
    return views.mutate(share=share(views.views)).order_by(ibis.desc("views"), "department")
