import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.dashboards.report import BadRows, ResultsError, RunFacts, SourceFile, Stage, read_results
from app.dashboards.report.__main__ import main
from app.events.ledger import Ledger, write_ledgers

FACTS = RunFacts(
    command="scripts/demo --events a.csv",
    finished="2026-11-24T09:00:00+00:00",
    files=(SourceFile("a.csv", 1_234, 10), SourceFile("b.csv")),
    stages=(Stage("stream", "Beam to BigQuery", 2.5, 10), Stage("batch", "Spark answers", 1.0)),
    bad_rows=(BadRows("invalid_price", 2, "price"), BadRows("missing_columns", 1)),
    versions={"pyspark": "4.3.0"},
    machine={"cores": "2"},
    notes=("the batch pipeline had no Java",),
    stores={"Redis": "1,000 events in 139 keys"},
)


def _write_answer(directory: Path, pipeline: str, question: str, rows: int) -> None:
    path = directory / "answers" / pipeline / f"{question}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"n": list(range(rows))}), path)


def test_reads_what_a_run_leaves(tmp_path: Path) -> None:
    _write_answer(tmp_path, "stream", "a_question", 3)
    _write_answer(tmp_path, "batch", "a_question", 4)
    _write_answer(tmp_path, "batch", "only_in_batch", 5)
    write_ledgers({"stream": Ledger(10, 7, 1, 2)}, tmp_path / "ledger.json")
    (tmp_path / "parity.json").write_text('{"a_question": false}')
    FACTS.write(tmp_path)

    found = read_results(tmp_path)

    assert {name: table.num_rows for name, table in found.answers.items()} == {"a_question": 3, "only_in_batch": 5}
    assert found.ledgers == {"stream": Ledger(10, 7, 1, 2)}
    assert found.parity == {"a_question": False}
    assert found.run == FACTS


def test_answers_alone_are_enough(tmp_path: Path) -> None:
    _write_answer(tmp_path, "batch", "a_question", 1)
    found = read_results(tmp_path)
    assert (found.ledgers, found.parity, found.run) == ({}, {}, RunFacts())


def test_a_directory_without_answers_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="run scripts/demo --out"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ledger.json", '{"stream": {"read": 1}}'),
        ("ledger.json", "{"),
        ("parity.json", "[]"),
        ("run.json", '{"stages": [{"seconds": 1}]}'),
        ("run.json", '{"weather": "fine"}'),
        ("answers/stream/broken.parquet", "no parquet"),
    ],
)
def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path, name: str, content: str) -> None:
    _write_answer(tmp_path, "stream", "a_question", 1)
    (tmp_path / name).write_text(content)
    with pytest.raises(ResultsError, match=rf"{Path(name).name}.*run the demo again"):
        read_results(tmp_path)


def test_the_command_writes_the_report_beside_the_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_answer(tmp_path, "stream", "a_question", 1)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    assert "A question" in (tmp_path / "report.html").read_text()


def test_the_command_fails_without_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no answers" in capsys.readouterr().err


def test_run_facts_are_plain_json(tmp_path: Path) -> None:
    facts = json.loads(FACTS.write(tmp_path).read_text())
    assert facts["stages"][0] == {"pipeline": "stream", "name": "Beam to BigQuery", "seconds": 2.5, "rows": 10}
    assert facts["bad_rows"][1] == {"reason": "missing_columns", "rows": 1, "field": None}
