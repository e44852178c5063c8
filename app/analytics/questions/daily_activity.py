"""Daily activity

How much happens in the store each day, by what visitors do, and how many visitors and sessions take part? A session
that goes on after midnight counts on both days.

Asked by: store management, operations.

Columns:
- event_date: the day (UTC)
- event_type: what visitors did
- events [events]: how often
- users [users]: different visitors who did it
- sessions [sessions]: different sessions in which it was done
- revenue [store currency]: the sum of prices of purchases, 0.00 for all else
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import activity, session_days, user_days
from app.analytics.measures import count_if, money, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    days = acts.group_by("event_date", "event_type").agg(events=total(acts.events), cents=total(acts.cents))
    did = user_days(events)
    users = did.group_by("event_date", "event_type").agg(users=did.count())
    parts = session_days(events)
    sessions = parts.group_by("event_date").agg(
        with_view=count_if(parts.views > 0),
        with_cart=count_if(parts.carts > 0),
        with_removal=count_if(parts.removals > 0),
        with_purchase=count_if(parts.purchases > 0),
    )
    found = days.join(users, ["event_date", "event_type"]).join(sessions, "event_date")
    return found.select(
        "event_date",
        "event_type",
        "events",
        "users",
        sessions=found.event_type.cases(
            ("view", found.with_view),
            ("cart", found.with_cart),
            ("remove_from_cart", found.with_removal),
            ("purchase", found.with_purchase),
        ),
        revenue=money(ibis.cases((found.event_type == "purchase", found.cents), else_=0)),
    ).order_by("event_date", "event_type")
