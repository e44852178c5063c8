"""What visitors do

How are the events divided between views, carts, removals and purchases?

Asked by: everyone, as the first look at the store.

Columns:
- event_type: what visitors did
- events [events]: how often
- share [0 to 1]: events / all events
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import activity
from app.analytics.measures import share, total


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    acts = activity(events)
    types = acts.group_by("event_type").agg(events=total(acts.events))
    return types.mutate(share=share(types.events)).order_by(ibis.desc("events"), "event_type")
