"""Which picture answers which question, and in which order the report shows them.

A question that is not here appears by itself at the end of the report, as a table.
"""

from dataclasses import dataclass
from typing import Final

from app.dashboards.report.charts import activity, buyers, catalogue, conversion, revenue, visitors
from app.dashboards.report.figures import Drawing


@dataclass(frozen=True)
class Section:
    """A part of the report: `anchor` is its address in the page."""

    anchor: str
    title: str
    drawings: dict[str, Drawing]


_CUSTOMERS: Final = visitors.DRAWINGS | buyers.DRAWINGS
_CUSTOMERS_ORDER: Final = ("session_facts", "rfm_segments", "weekly_retention", "bought_together", "bot_sessions")

SECTIONS: Final = (
    Section("activity", "Activity", activity.DRAWINGS | revenue.DRAWINGS),
    Section("catalogue", "Catalogue", catalogue.DRAWINGS),
    Section("conversion", "Conversion", conversion.DRAWINGS),
    Section("customers", "Customers", {question: _CUSTOMERS[question] for question in _CUSTOMERS_ORDER}),
)
