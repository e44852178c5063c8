"""Sessions by day

How long do sessions last, how much happens in them, and how many end after a single event? The day is that on which
the session began.

Asked by: product design, marketing.

Columns:
- event_date: the day (UTC) on which the sessions began
- sessions [sessions]: how many began
- events_per_session [events]: mean number of events
- mean_seconds [seconds]: mean time from first to last event
- bounce_sessions [sessions]: sessions of a single event
- bounce_rate [0 to 1]: bounce_sessions / sessions
- revenue_per_session [store currency]: mean revenue, sessions without purchase included
"""

import ibis.expr.types as ir

from app.analytics.facts import sessions
from app.analytics.measures import cents, count_if, mean_money, rate, seconds_between, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    visited = sessions(events)
    visited = visited.mutate(
        event_date=visited.session_start.date(),
        seconds=seconds_between(visited.session_start, visited.session_end),
    )
    days = visited.group_by("event_date").agg(
        sessions=visited.count(),
        events=total(visited.events),
        seconds=total(visited.seconds),
        bounce_sessions=count_if(visited.events == 1),
        cents=total(cents(visited.revenue)),
    )
    return days.select(
        "event_date",
        "sessions",
        events_per_session=rate(days.events, days.sessions),
        mean_seconds=rate(days.seconds, days.sessions),
        bounce_sessions=days.bounce_sessions,
        bounce_rate=rate(days.bounce_sessions, days.sessions),
        revenue_per_session=mean_money(days.cents, days.sessions),
    ).order_by("event_date")
