"""All questions, in the order of a report: what happens in the store, what is bought, how visitors behave."""

from typing import Final

from app.analytics.question import Question, question
from app.analytics.questions import (
    abandoned_carts,
    bot_sessions,
    bought_together,
    daily_activity,
    daily_revenue,
    event_types,
    hourly_activity,
    most_viewed_sub_categories,
    purchase_conversion_rate,
    purchase_conversion_volume,
    purchases_by_category,
    rfm_segments,
    session_facts,
    session_funnel,
    top_brands,
    views_by_category,
    weekly_retention,
)

QUESTIONS: Final[dict[str, Question]] = {
    item.name: item
    for item in map(
        question,
        (
            daily_activity,
            hourly_activity,
            event_types,
            most_viewed_sub_categories,
            views_by_category,
            purchases_by_category,
            purchase_conversion_volume,
            purchase_conversion_rate,
            top_brands,
            daily_revenue,
            session_facts,
            session_funnel,
            abandoned_carts,
            bought_together,
            rfm_segments,
            weekly_retention,
            bot_sessions,
        ),
    )
}
"""Question by name."""
