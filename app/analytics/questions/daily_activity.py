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

from app.analytics.facts import user_days, visits
from app.analytics.measures import exactly, money, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    users = user_days(events).group_by("event_date", "event_type").agg(users=lambda t: t.count())
    parts = visits(events)
    per_session = parts.group_by("event_date", "event_type", "session_key", "session_start").agg(
        events=total(parts.events), cents=total(parts.cents)
    )
    days = per_session.group_by("event_date", "event_type").agg(
        events=total(per_session.events), sessions=per_session.count(), cents=total(per_session.cents)
    )
    both = days.join(users, ["event_date", "event_type"])
    return both.select(
        "event_date",
        "event_type",
        "events",
        "users",
        "sessions",
        revenue=money(ibis.cases((both.event_type == "purchase", both.cents), else_=exactly(ibis.literal(0), "int64"))),
    ).order_by("event_date", "event_type")
