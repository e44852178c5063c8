"""Small answers, one a question, as CSV beside this file; some names in them are hostile on purpose."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from app.analytics import QUESTIONS

ANSWERS = Path(__file__).parent / "report_answers"


@pytest.fixture(scope="session")
def report_answers() -> dict[str, pa.Table]:
    """An answer to every question, with the question's own columns."""
    return {name: _read(ANSWERS / f"{name}.csv", question.schema) for name, question in QUESTIONS.items()}


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    options = pyarrow.csv.ConvertOptions(
        column_types=dict(zip(schema.names, schema.types, strict=True)),
        include_columns=schema.names,
        strings_can_be_null=True,
        null_values=[""],
    )
    return pyarrow.csv.read_csv(path, convert_options=options)
