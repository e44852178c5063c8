"""Builds the files for Tableau out of the answers to the questions."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from app.analytics import QUESTIONS, Question
from app.dashboards.tableau.answers import Answers, conformed, from_results
from app.dashboards.tableau.datasource import source_file
from app.dashboards.tableau.errors import ExtractError
from app.dashboards.tableau.package import write_package
from app.dashboards.tableau.parameters import parameters
from app.dashboards.tableau.warehouse import Warehouse
from app.dashboards.tableau.workbook import workbook_of
from app.output_folder import claim

PACKAGE: Final = "Shop.twbx"
LIVE: Final = "Shop-live.twb"
SOURCES: Final = "datasources"


def build_workbook(
    results: Path | Mapping[str, pa.Table] | Answers,
    out: Path,
    *,
    warehouse: Warehouse | None = None,
    questions: Mapping[str, Question] = QUESTIONS,
) -> Path:
    """Write the workbook with its data into a directory, and give its path.

    `results` is what a run left, or answers by question. Beside the package (`Shop.twbx`) stand the same workbook on
    the live warehouse (`Shop-live.twb`) and its sources alone (`datasources/QUESTION.tds`). Equal input gives equal
    bytes. A question without an answer is left out.

    Raises:
        AnswersError: there are no answers, or they do not fit the questions.
        ExtractError: Hyper could not store one.
        NotOursError: the directory has files of these names that no build has made.
        OSError: the directory cannot be written.
    """
    answers = _answers(results, questions)
    warehouse = warehouse or Warehouse()
    asked = [questions[name] for name in answers.tables]
    workbook = workbook_of(asked, parameters(answers.tables))
    claim(out, (PACKAGE, LIVE, SOURCES))
    package = out / PACKAGE
    # The files take their places at the end, so that a build that fails leaves those of the one before.
    with tempfile.TemporaryDirectory(prefix=".tableau-", dir=out) as folder:
        made = Path(folder)
        extracts = _write_extracts(answers.tables, made)
        write_package(made / PACKAGE, workbook.xml(warehouse, answers.made), extracts)
        (made / LIVE).write_bytes(workbook.xml(warehouse))
        sources = out / SOURCES
        sources.mkdir(exist_ok=True)
        for source in workbook.sources:
            (made / f"{source.question}.tds").write_bytes(source_file(source, warehouse))
            (made / f"{source.question}.tds").replace(sources / f"{source.question}.tds")
        (made / LIVE).replace(out / LIVE)
        (made / PACKAGE).replace(package)
    return package


def _write_extracts(answers: Mapping[str, pa.Table], folder: Path) -> dict[str, Path]:
    try:
        from app.dashboards.tableau.extracts import write_extracts
    except ImportError as error:
        raise ExtractError(
            f"Hyper's API, which writes the data of a workbook, is not there ({error}); it is made for Linux on "
            "x86-64, macOS and Windows"
        ) from error
    return write_extracts(answers, folder)


def _answers(results: Path | Mapping[str, pa.Table] | Answers, questions: Mapping[str, Question]) -> Answers:
    if isinstance(results, Answers):
        return results
    if isinstance(results, Path):
        return from_results(results, questions)
    return Answers(conformed(results, questions))
