"""The sheets of who comes, who comes back and who buys."""

from typing import Final

from app.dashboards.tableau.sheet import Sheet, Sort, day, dimension, mean, measure

COHORTS: Final = Sheet(
    "Weekly retention of cohorts",
    "weekly_retention",
    "Square",
    rows=(dimension("cohort_week"),),
    columns=(dimension("weeks_later"),),
    color=measure("retention"),
    label=(measure("retention"),),
    tooltip=(measure("active_users"), measure("cohort_users")),
    note="share of a week's new visitors who are active weeks later",
)
RFM: Final = Sheet(
    "Buyers by recency and frequency",
    "rfm_segments",
    "Square",
    rows=(dimension("recency_score"),),
    columns=(dimension("frequency_score"),),
    color=measure("revenue"),
    label=(measure("users"),),
    sorts=(Sort(dimension("recency_score"), mean("recency_score")),),
    note="5 is best; label: buyers, colour: revenue (store currency)",
)
SEGMENTS: Final = Sheet(
    "Buyers by segment",
    "rfm_segments",
    "Bar",
    rows=(dimension("segment"),),
    columns=(measure("users"),),
    color=dimension("segment"),
    label=(measure("revenue"),),
    sorts=(Sort(dimension("segment"), measure("users")),),
    note="label: revenue (store currency)",
)
BOUGHT_TOGETHER: Final = Sheet(
    "Products bought together",
    "bought_together",
    "Bar",
    rows=(dimension("label_a"), dimension("product_a"), dimension("label_b"), dimension("product_b")),
    columns=(measure("sessions"),),
    color=measure("lift"),
    label=(measure("sessions"),),
    tooltip=(measure("support"), measure("confidence")),
    sorts=(Sort(dimension("label_a"), measure("sessions")),),
    long=True,
    note="sessions that bought both, colour: lift, 1 is chance",
)
SESSIONS: Final = Sheet(
    "Sessions by day",
    "session_facts",
    "Line",
    rows=(measure("sessions"),),
    columns=(day("event_date"),),
    tooltip=(
        measure("events_per_session"),
        measure("mean_seconds"),
        measure("bounce_rate"),
        measure("revenue_per_session"),
    ),
)
SHEETS: Final = (COHORTS, RFM, SEGMENTS, BOUGHT_TOGETHER, SESSIONS)
