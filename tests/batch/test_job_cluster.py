"""The job on a Spark cluster: its executors are other processes, which have no code but what they are sent."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.events.generator import Settings, generate
from tests.batch.job_process import ROOT, contents, expected, job_environment, ledger

pytestmark = pytest.mark.integration


def test_a_cluster_leaves_what_one_machine_leaves(tmp_path: Path) -> None:
    file, out = tmp_path / "events.csv", tmp_path / "out"
    with file.open("wb") as writer:
        writer.writelines(generate(Settings(events=3_000, seed=5, bad=0.01)))
    command = [sys.executable, "-m", "app.batch.job", "--events", str(file), "--out", str(out)]
    environment = {name: value for name, value in job_environment().items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, "--master", "local-cluster[1,2,1024]"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected_answers, expected_ledger = expected([file])
    assert ledger(out) == expected_ledger
    found = contents(out)
    assert {name: found[name] for name in expected_answers} == {
        name: answer.to_pylist() for name, answer in expected_answers.items()
    }
