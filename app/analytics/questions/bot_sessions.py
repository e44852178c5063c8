"""Sessions that look like bots

Which sessions behave like no visitor would? A session is listed for the first reason that fits: `too_fast` (at least
10 events, and 6 or more a minute), `too_many_events` (at least 200 events), `one_product` (at least 30 events, all on
one product).

Asked by: operations (whom to block), analysts (whom to leave out).

Columns:
- session_key: the site's name of the session, or user:<user_id> where it has none; user:: is
  before a name that begins with user:
- session_start: the time of the session's first event (UTC)
- user_id: the visitor, the smallest id if there are several
- events [events]: events in the session
- seconds [seconds]: from its first to its last event
- events_per_minute [events per minute]: 60 x events / seconds, a session shorter than a second counting as one second
- products [products]: different products acted on
- reason: too_fast, too_many_events or one_product
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import suspects
from app.analytics.measures import rate

MANY_EVENTS = 200


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    listed = suspects(events)
    listed = listed.mutate(
        events_per_minute=rate(listed.events * 60, ibis.greatest(listed.seconds, 1)),
        reason=ibis.cases(
            (listed.too_fast, "too_fast"),
            (listed.events >= MANY_EVENTS, "too_many_events"),
            (listed.products == 1, "one_product"),
        ),
    )
    return (
        listed.filter(listed.reason.notnull())
        .select(
            "session_key", "session_start", "user_id", "events", "seconds", "events_per_minute", "products", "reason"
        )
        .order_by(ibis.desc("events"), "seconds", "session_key", "session_start")
    )
