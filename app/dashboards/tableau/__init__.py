"""Tableau: every question as a data source and a sheet, three dashboards, and a workbook that opens with data in it.

    build_workbook(Path("build/demo"), Path("build/demo"))

All is made of the questions in `app.analytics`: a new one appears as a source and a table by itself, and as a picture
when it gets a sheet in `app.dashboards.tableau.sheets`.
"""

from app.dashboards.tableau.answers import Answers, AnswersError, from_results, from_warehouse
from app.dashboards.tableau.build import build_workbook
from app.dashboards.tableau.errors import ExtractError
from app.dashboards.tableau.warehouse import Warehouse, WarehouseError

__all__ = [
    "Answers",
    "AnswersError",
    "ExtractError",
    "Warehouse",
    "WarehouseError",
    "build_workbook",
    "from_results",
    "from_warehouse",
]
