import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree

from app.analytics import QUESTIONS
from app.dashboards.tableau.command import main

pytestmark = pytest.mark.integration  # Hyper is an engine of its own


@pytest.fixture
def run(report_answers: dict[str, pa.Table], tmp_path: Path) -> Path:
    """The directory of a run that only the batch pipeline answered."""
    folder = tmp_path / "run" / "answers" / "batch"
    folder.mkdir(parents=True)
    for name, answer in report_answers.items():
        pq.write_table(answer, folder / f"{name}.parquet")
    return tmp_path / "run"


def test_builds_of_a_runs_results_and_says_what_is_left_to_type(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--results", str(run), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'out' / 'Shop.twbx'}  {len(QUESTIONS)} questions, ")
    assert "--live PROJECT.DATASET" in said


def test_binds_the_live_workbook_to_a_dataset(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = ["--live", "my-project.shop", "--billing-project", "payer-project", "--sign-in", "service-account"]
    assert main(["build", "--results", str(run), "--out", str(tmp_path), *live, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["workbook"] == str(tmp_path / "Shop.twbx")
    assert set(said["rows"]) == set(QUESTIONS)
    files = [tmp_path / "Shop-live.twb", *(tmp_path / "datasources").glob("*.tds")]
    for file in files:
        for connection in etree.parse(file).findall(".//named-connection/connection"):
            assert (connection.get("CATALOG"), connection.get("EXECCATALOG")) == ("my-project", "payer-project")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--results", "{tmp}", "--out", "{tmp}"], "run scripts/demo --out"),
        (["--results", "{tmp}", "--live", "shop", "--out", "{tmp}"], "must be PROJECT.DATASET"),
        (["--dataset", "shop", "--out", "{tmp}"], "must be PROJECT.DATASET"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("tableau: ")
    assert len(said.splitlines()) == 1


def test_a_directory_that_cannot_be_written_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "answers" / "batch" / "event_types.parquet"
    assert main(["build", "--results", str(run), "--out", str(file)]) == 1
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["build"], ["publish"]])
def test_help_shows_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"scripts/tableau {' '.join(command) or 'build'}" in capsys.readouterr().out
