"""The job ended in the middle of its work, over the results of an earlier run that stay readable until the next."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.analytics import QUESTIONS
from app.batch.session_shares import SHARES
from app.events.generator import Settings, generate
from tests.batch.job_process import ROOT, answers, contents, expected, job_environment, jobs, ledger, left_over

pytestmark = pytest.mark.integration

SPLITS = 8
WAIT_SECONDS = 600


@dataclass(frozen=True)
class Shop:
    """A store that shows a complete run of `old`, and the file that the next runs read."""

    out: Path
    old: Path
    new: Path
    shown: dict[str, list[Any]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    old, new, out = folder / "old.csv", folder / "new.csv", folder / "out"
    for file, settings in ((old, Settings(events=2_000, seed=1, bad=0.02)), (new, Settings(events=60_000, seed=2))):
        with file.open("wb") as writer:
            writer.writelines(generate(settings))
    assert new.stat().st_size > (SPLITS - 1) << 20
    with jobs(folder) as job:
        outcome = job.run("--events", old, "--out", out)
    assert outcome.code == 0, outcome.said
    return Shop(out, old, new, contents(out))


@dataclass(frozen=True)
class Started:
    """A run under way, and the runs of which something was there before it."""

    process: "subprocess.Popen[bytes]"
    log: Path
    out: Path
    before: frozenset[str]

    def count(self, pattern: str) -> int:
        """Files of this run."""
        return sum(not self.before & set(file.parts) for file in self.out.glob(pattern))

    def wait_for(self, pattern: str) -> None:
        """Wait until the run has a file like that."""
        end = time.monotonic() + WAIT_SECONDS
        while not self.count(pattern):
            if self.process.poll() is not None:
                raise AssertionError(f"the run ended before: {self.said()}")
            assert time.monotonic() < end
            time.sleep(0.005)

    def said(self) -> str:
        """All that it said and printed, when it is over."""
        self.process.wait(WAIT_SECONDS)
        return " ".join(self.log.read_text().split())


@contextmanager
def started(shop: Shop) -> Iterator[Started]:
    """A run over the new file, a process of its own, which is over when the block is left."""
    before = frozenset(folder.name for name in ("runs", ".staging") for folder in (shop.out / name).iterdir())
    log = shop.out.with_name("run.log")
    command = [sys.executable, "-m", "app.batch.job", "--events", str(shop.new), "--out", str(shop.out)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--split-mb", "1"], cwd=ROOT, env=job_environment(), stdout=file, stderr=file
        )
    try:
        yield Started(process, log, shop.out, before)
    finally:
        process.kill()
        process.wait()


STAGES = {
    "reading": (".staging/*/ids/*.ids", SPLITS),
    "facts": (".staging/*/facts/session*/*.parquet", 2 * SHARES),
    "questions": ("runs/*/answers/*.parquet", len(QUESTIONS)),
}
"""A file for each step of a stage, and how many there are when it is over."""


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_killed_in_the_middle_of_a_stage_leaves_the_earlier_results(shop: Shop, stage: str) -> None:
    files, over = STAGES[stage]
    with started(shop) as run:
        run.wait_for(files)
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        assert 0 < run.count(files) < over
    assert contents(shop.out) == shop.shown


def test_an_interrupted_run_says_so_and_leaves_the_earlier_results_and_nothing_else(shop: Shop) -> None:
    with started(shop) as run:
        run.wait_for(STAGES["reading"][0])
        run.process.send_signal(signal.SIGINT)
        said = run.said()
        assert run.process.returncode == 130, said
        assert "the store is as it was before" in said
        assert "Traceback" not in said
    assert contents(shop.out) == shop.shown
    assert [path.name for path in (shop.out / "runs").iterdir()] == [(shop.out / "latest").readlink().name]
    assert not left_over(shop.out)


def test_a_run_whose_java_is_killed_says_so_and_leaves_the_earlier_results(shop: Shop) -> None:
    """As the kernel does where memory runs out: Java is the largest process."""
    with started(shop) as run:
        run.wait_for(STAGES["facts"][0])
        (java,) = [child for child in psutil.Process(run.process.pid).children() if child.name() == "java"]
        java.kill()
        said = run.said()
        assert run.process.returncode == 1, said
        assert "error: Spark's Java process ended" in said
        assert "The store is as it was before" in said
        assert "app/batch/job.py" not in said
    assert contents(shop.out) == shop.shown


def test_a_second_job_is_refused_and_the_first_replaces_all_that_ended_runs_left(shop: Shop, tmp_path: Path) -> None:
    with started(shop) as first, jobs(tmp_path) as second:
        first.wait_for(STAGES["reading"][0])
        outcome = second.run("--events", shop.old, "--out", shop.out)
        assert outcome.code == 7, outcome.said
        assert f"another run is writing to {shop.out}" in outcome.said
        assert contents(shop.out) == shop.shown
        said = first.said()
        assert first.process.returncode == 0, said
    expected_answers, expected_ledger = expected([shop.new])
    assert ledger(shop.out) == expected_ledger
    found = answers(shop.out)
    assert {name: found[name].to_pylist() for name in QUESTIONS} == {
        name: expected_answers[name].to_pylist() for name in QUESTIONS
    }
    assert [path.name for path in (shop.out / "runs").iterdir()] == [(shop.out / "latest").readlink().name]
    assert not left_over(shop.out)
