"""Which sheets show which question, and which dashboards show which sheets.

A question without a sheet here gets one by itself: a table of its columns, with its title as the name.
"""

from collections.abc import Iterable
from typing import Final

from app.dashboards.tableau.dashboard import Dashboard, Row
from app.dashboards.tableau.datasource import Source
from app.dashboards.tableau.sheet import Sheet, text_table
from app.dashboards.tableau.sheets import activity, conversion, customers

SHEETS: Final = (*activity.SHEETS, *conversion.SHEETS, *customers.SHEETS)

DASHBOARDS: Final = (
    Dashboard(
        "Today",
        "What happens in the store: how much, when, and where visitors look.",
        rows=(
            Row((activity.DAILY_EVENTS, activity.REVENUE, activity.EVENT_TYPES), (4, 4, 3)),
            Row((activity.EVENTS_BY_HOUR, activity.MOST_VIEWED, activity.VIEWS_BY_CATEGORY), (4, 4, 3)),
        ),
    ),
    Dashboard(
        "Conversion",
        "How looking becomes buying, and what is bought.",
        rows=(
            Row((conversion.FUNNEL, conversion.PURCHASES_BY_CATEGORY, conversion.TOP_BRANDS), (3, 3, 3)),
            Row((conversion.VOLUME, conversion.RATE, conversion.ABANDONED_CARTS), (4, 4, 3)),
        ),
    ),
    Dashboard(
        "Customers",
        "Who comes, who comes back, who buys, and what goes together.",
        rows=(
            Row((customers.COHORTS, customers.RFM, customers.SEGMENTS), (4, 3, 3)),
            Row((customers.SESSIONS, customers.BOUGHT_TOGETHER), (3, 4)),
        ),
    ),
)


def sheets_of(sources: Iterable[Source]) -> tuple[Sheet, ...]:
    """Give the sheets of these sources, each source with one at least."""
    by_question = {source.question: source for source in sources}
    made = tuple(sheet for sheet in SHEETS if sheet.question in by_question)
    shown = {sheet.question for sheet in made}
    return made + tuple(
        text_table(source.caption, source) for question, source in by_question.items() if question not in shown
    )
