"""What makes a row a bad event. The list is fixed, so that a report can count by reason."""

from enum import StrEnum
from typing import Final

REFUSED_BY_WAREHOUSE: Final = "refused_by_warehouse"
"""The reason of an event that the warehouse does not take. Only a warehouse gives it, never a row by itself."""


class Reason(StrEnum):
    """Why a row is no event. A row with several faults has the first of them in this order."""

    ROW_TOO_LONG = "row_too_long"
    INVALID_UTF8 = "invalid_utf8"
    LINE_BREAK_IN_ROW = "line_break_in_row"
    INVALID_QUOTING = "invalid_quoting"
    MISSING_COLUMNS = "missing_columns"
    EXTRA_COLUMNS = "extra_columns"
    INVALID_TIME = "invalid_time"
    IMPLAUSIBLE_TIME = "implausible_time"
    """A time of the calendar that lies outside of the bounds in the settings (`app.events.time_bounds`)."""
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    IMPRECISE_ID = "imprecise_id"
    """Digits of an id are lost, as in 2.05301E+18, which spreadsheets and floating point write."""
    INVALID_ID = "invalid_id"
    INVALID_PRICE = "invalid_price"
    NEGATIVE_PRICE = "negative_price"
