"""The HTML report: every question as a picture, in one file that works offline.

write_report(read_results(Path("build/demo")), Path("build/demo/report.html"))
"""

from app.dashboards.report.page import FILE_NAME, ReportError, write_report
from app.dashboards.report.results import ReportInput, ResultsError, read_results
from app.dashboards.report.run_facts import BadRows, RunFacts, SourceFile, Stage

__all__ = [
    "FILE_NAME",
    "BadRows",
    "ReportError",
    "ReportInput",
    "ResultsError",
    "RunFacts",
    "SourceFile",
    "Stage",
    "read_results",
    "write_report",
]
