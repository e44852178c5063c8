"""The answers that a workbook is made of: from a run's results, or from the views of a BigQuery dataset."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

from app.analytics import QUESTIONS, Question
from app.analytics.parity import conform
from app.dashboards.report import ResultsError, read_results
from app.dashboards.tableau.warehouse import Warehouse

_TABLEAU_TIME: Final = "%m/%d/%Y %I:%M:%S %p"


class AnswersError(Exception):
    """There are no answers, or they are not those of the questions."""


@dataclass(frozen=True)
class Answers:
    """Answers by question, in the questions' own columns. `made`: when, as Tableau writes it; empty if unknown."""

    tables: Mapping[str, pa.Table]
    made: str = ""


def from_results(directory: Path, questions: Mapping[str, Question] = QUESTIONS) -> Answers:
    """Read what a run left (see `app.dashboards.report.results`). Raises AnswersError with what to do."""
    try:
        found = read_results(directory)
    except ResultsError as error:
        raise AnswersError(str(error)) from error
    return Answers(conformed(found.answers, questions), _tableau_time(found.run.finished))


def from_warehouse(warehouse: Warehouse, questions: Mapping[str, Question] = QUESTIONS) -> Answers:
    """Ask each question's view in BigQuery, with the credentials of `app.gcp.clients`. Raises AnswersError."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    from app.gcp.clients import ProjectMissingError, bigquery_client

    tables = {}
    try:
        client = bigquery_client()
        for name, question in questions.items():
            order = ", ".join(f"`{column}` {'ASC' if ascending else 'DESC'}" for column, ascending in question.order_by)
            view = f"`{warehouse.project}.{warehouse.dataset}.{name}`"
            sql = f"SELECT * FROM {view} ORDER BY {order}"  # noqa: S608 - names of our own
            rows = client.query(sql, project=warehouse.billing_project or warehouse.project).result()
            tables[name] = rows.to_arrow(create_bqstorage_client=False)
    except (GoogleAuthError, ProjectMissingError) as error:
        raise AnswersError(f"{_line(error)}; sign in by `gcloud auth application-default login`") from error
    except GoogleAPIError as error:
        dataset = f"{warehouse.project}.{warehouse.dataset}"
        raise AnswersError(
            f"BigQuery did not answer from {dataset}, which needs a view for each question: {_line(error)}"
        ) from error
    return Answers(conformed(tables, questions), datetime.now(UTC).strftime(_TABLEAU_TIME))


def conformed(answers: Mapping[str, pa.Table], questions: Mapping[str, Question]) -> dict[str, pa.Table]:
    """Give the answers to these questions in their columns and types, in the order of the questions.

    Raises AnswersError where none is there, or one has other columns.
    """
    tables = {}
    for name, question in questions.items():
        if name in answers:
            with _said_of(name):
                tables[name] = conform(question, answers[name])
    if not tables:
        raise AnswersError("no answer to any question of app.analytics; run scripts/demo first")
    return tables


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, KeyError) as error:
        raise AnswersError(f"the answer to {name} is not the question's of today ({error}); make it again") from error


def _tableau_time(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).astimezone(UTC).strftime(_TABLEAU_TIME)
    except ValueError:
        return ""
