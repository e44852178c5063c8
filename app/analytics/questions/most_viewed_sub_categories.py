"""Most viewed sub-categories

Which 20 sub-categories are looked at most, and by how many visitors? Products without a sub-category are left out;
equal views are ranked by department and name.

Asked by: purchasing, marketing.

Columns:
- rank [position]: 1 for the most viewed
- department: first level of the category
- sub_category: second level of the category
- views [events]: views of its products
- users [users]: different visitors who viewed
"""

import ibis.expr.types as ir

from app.analytics.facts import viewers
from app.analytics.measures import rank_by, total

TOP = 20


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    seen = viewers(events)
    views = seen.group_by("department", "sub_category").agg(views=total(seen.views), users=seen.count())
    ranked = views.mutate(rank=rank_by(views.views.desc(), views.department, views.sub_category))
    top = ranked.filter(ranked["rank"] <= TOP)
    return top.select("rank", "department", "sub_category", "views", "users").order_by("rank")
