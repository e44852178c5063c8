"""Buyers by recency, frequency and money (RFM)

Which groups of buyers are there, and what are they worth? Each buyer gets three scores from 1 to 5 (5 is best): by the
time of the last purchase, by the number of purchases, by revenue. A score is 1 + 5 x (buyers who are behind) / (all
buyers), rounded down, so equal buyers have equal scores. Segments, the first that fits: champions (recency and
frequency 4 or more), loyal (frequency 4 or more, recency 3), at_risk (frequency 4 or more), big_spenders (money 5),
new (recency 4 or more), lost (recency 2 or less), regular.

Asked by: marketing (whom to thank, win back, leave alone).

Columns:
- recency_score [1 to 5]: 5 for the buyers whose last purchase is latest
- frequency_score [1 to 5]: 5 for those with most purchases
- monetary_score [1 to 5]: 5 for those with most revenue
- segment: the segment's name
- users [users]: buyers with these scores
- revenue [store currency]: the sum of prices of their purchases
"""

from typing import Any

import ibis
import ibis.expr.types as ir

from app.analytics.facts import purchases
from app.analytics.measures import exactly, money, total

SCORES = 5


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    bought = purchases(events)
    buyers = bought.group_by("user_id").agg(
        last_time=bought.event_time.max(), frequency=bought.count(), cents=total(bought.cents)
    )
    scored = buyers.select(
        "cents",
        recency_score=_score(buyers.last_time),
        frequency_score=_score(buyers.frequency),
        monetary_score=_score(buyers.cents),
    )
    groups = scored.group_by("recency_score", "frequency_score", "monetary_score").agg(
        users=scored.count(), cents=total(scored.cents)
    )
    recent, often, spent = groups.recency_score, groups.frequency_score, groups.monetary_score
    return groups.select(
        "recency_score",
        "frequency_score",
        "monetary_score",
        segment=ibis.cases(
            ((recent >= 4) & (often >= 4), "champions"),
            ((recent == 3) & (often >= 4), "loyal"),
            (often >= 4, "at_risk"),
            (spent == SCORES, "big_spenders"),
            (recent >= 4, "new"),
            (recent <= 2, "lost"),
            else_="regular",
        ),
        users=groups.users,
        revenue=money(groups.cents),
    ).order_by(ibis.desc("recency_score"), ibis.desc("frequency_score"), ibis.desc("monetary_score"))


def _score(value: Any) -> Any:
    """Score 1 to 5 by the number of rows with a smaller value."""
    behind = ibis.rank().over(ibis.window(order_by=value))
    everyone = value.count().over(ibis.window())
    return exactly(behind * SCORES // everyone + 1, "int64")
