"""The demo from its command: what it leaves, and that nothing stays behind when it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import psutil
import pyarrow.parquet as pq
import pytest

from app.analytics import QUESTIONS
from app.events.ledger import read_ledgers
from app.local.job import JobError, module_job

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, str(ROOT / "scripts" / "demo")]
pytestmark = pytest.mark.integration


def test_both_pipelines_agree_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run([*DEMO, "--rows", "3000", "--bad", "0.01", "--out", str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ledgers = read_ledgers(out / "ledger.json")
    assert ledgers["stream"] == ledgers["batch"]
    assert (ledgers["stream"].read, ledgers["stream"].bad) == (3000, 30)
    assert json.loads((out / "parity.json").read_text()) == dict.fromkeys(QUESTIONS, True)
    for name, question in QUESTIONS.items():
        answers = [pq.read_table(out / "answers" / one / f"{name}.parquet") for one in ("stream", "batch")]
        assert all(answer.schema.names == question.schema.names for answer in answers)
    assert "Every row is accounted for" in done.stderr
    stores = json.loads((out / "run.json").read_text())["stores"]
    assert set(stores) == {"MySQL", "Redis", "Cassandra"}
    assert f"{ledgers['batch'].stored:,} events" in stores["Cassandra"]
    assert (out / "report.html").stat().st_size > 100_000
    with ZipFile(out / "Shop.twbx") as workbook:
        assert {f"Data/Extracts/{name}.hyper" for name in QUESTIONS} < set(workbook.namelist())
    assert {file.stem for file in (out / "datasources").glob("*.tds")} == set(QUESTIONS)
    assert (out / "Shop-live.twb").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing_running_and_no_files(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*DEMO, "--rows", "200000", "--out", str(tmp_path / "out")],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    said = []
    for line in process.stderr:
        said.append(line)
        if "upload took" in line:
            break
    else:
        pytest.fail(f"the demo ended with exit code {process.wait()} before it could be interrupted:\n{''.join(said)}")
    time.sleep(2)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 4, process.poll() is not None and process.stderr.read()
    process.send_signal(number)
    process.stderr.read()
    assert process.wait(60) == code
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert not [path for path in temporary.iterdir() if path.name.startswith("shop-")]


def test_a_path_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--events", str(tmp_path / "no.csv"), "--out", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no.csv does not exist" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["answers", "datasources"])
def test_a_folder_that_is_somebody_elses_is_not_emptied(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name / "events.csv"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    refused = subprocess.run(
        [*DEMO, "--events", str(theirs), "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert f"already has {name}" in " ".join(refused.stderr.split())
    (tmp_path / ".shop-analytics").touch()
    refused = subprocess.run(
        [*DEMO, "--events", str(theirs), "--out", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "is where the results go" in " ".join(refused.stderr.split())
    assert theirs.read_text() == "theirs"


def test_a_failed_job_says_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(JobError, match=r"(?s)batch job failed with exit code 2.*--events"),
        module_job("batch job", "app.batch.job", [], tmp_path) as job,
    ):
        job.wait()
