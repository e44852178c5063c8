"""A workbook of a BigQuery dataset that has a view for each question, on the emulator."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from app.analytics import QUESTIONS
from app.analytics.parity import conform, differences
from app.analytics.sql import compile_question
from app.dashboards.tableau import AnswersError, Warehouse, from_warehouse
from app.dashboards.tableau.command import main
from app.gcp.clients import bigquery_client
from app.local.bigquery import bigquery_emulator
from app.local.emulators import environment
from app.local.warehouse import create_question_views
from tests.analytics.engines import BigQuery, DuckDb
from tests.analytics.events import generated_events
from tests.dashboards.tableau_extracts import hyper, rows, unpack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return generated_events(3_000)


@pytest.fixture(scope="module")
def dataset(events: pa.Table) -> Iterator[str]:
    with bigquery_emulator() as emulator, environment(emulator.environment):
        engine = BigQuery()
        engine.load("shop.events", events)
        name = f"{bigquery_client().project}.shop"
        create_question_views(name)
        yield name


def test_a_workbook_of_a_dataset_has_the_answers_of_its_views(
    dataset: str, events: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--dataset", dataset, "--out", str(tmp_path)]) == 0
    assert "your project's id" not in capsys.readouterr().out
    engine = DuckDb(duckdb.connect())
    engine.load("events", events)
    with hyper() as process:
        extracts = unpack(tmp_path / "Shop.twbx", tmp_path / "unpacked")
        for name, question in QUESTIONS.items():
            expected = conform(question, engine.query(compile_question(name, "duckdb")))
            stored = rows(process, extracts[name])
            columns = [list(column) for column in zip(*stored, strict=True)] or [[] for _ in question.schema]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, question.schema, strict=True)]
            found = pa.table(arrays, schema=question.schema)
            assert differences(found, expected) == [], name


def test_a_dataset_without_the_views_says_what_it_needs(dataset: str) -> None:
    other = Warehouse(bigquery_client().project, "nothing_here")
    with pytest.raises(AnswersError, match=r"nothing_here, which needs a view for each question: 404"):
        from_warehouse(other)
