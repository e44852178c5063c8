"""`scripts/pulumi` on a computer that never saw Pulumi: first runs that fail, and what ^C and a kill leave behind."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.local.pulumi_cli import Pulumi
from tests.infra.engine.stand_in.cloud import Cloud, Fault, Resource
from tests.infra.engine.stand_in.containers import CONTAINER, NETWORK, RUN
from tests.infra.engine.stand_in.docker_cli import LAST_LINES
from tests.infra.engine.workbench import ROOT, Workbench, set_up

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

STACK = "local"
JOB = "local-batch-job"
UP = ("up", "--yes", "--skip-preview", "--stack", STACK)
_PATIENCE_SECONDS = 300
_CHOICES = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_HOME")


@dataclass(frozen=True)
class Computer:
    """One whose user has a home folder with nothing in it, a copy of the project and the stand-ins."""

    workbench: Workbench

    @property
    def home(self) -> Path:
        return self.workbench.folder / "user"

    @property
    def docker(self) -> Cloud:
        return self.workbench.cloud(STACK, "docker")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin what somebody types, who cannot be asked anything."""
        self.home.mkdir(exist_ok=True)
        known = self.workbench.environment(STACK)
        return subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "pulumi", *arguments],
            cwd=self.workbench.project,
            env={key: value for key, value in known.items() if key not in _CHOICES} | {"HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and all that was said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
        return process.returncode, said

    def succeed(self, *arguments: str) -> str:
        """What a command said that has to succeed."""
        code, said = self.run(*arguments)
        assert code == 0, said
        return said

    def clear(self) -> None:
        """Take away what there is."""
        code, said = self.run("destroy", "--yes", "--skip-preview", "--stack", STACK)
        assert code == 0 or "no stack named" in said, said

    def containers(self) -> dict[str, Resource]:
        """The containers that there are, by name."""
        return {one.name: one for one in self.docker.resources() if one.type == CONTAINER}


@pytest.fixture(scope="module")
def computer(pulumi_cli: Pulumi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computer]:
    found = Computer(set_up(tmp_path_factory.mktemp("computer"), pulumi_cli))
    yield found
    found.docker.break_on()
    found.clear()
    assert found.docker.resources() == []


def test_nobody_has_to_log_in_to_make_a_stack_or_to_think_of_a_passphrase(computer: Computer) -> None:
    said = computer.succeed("preview", "--stack", STACK)
    assert "to create" in said
    (file,) = (computer.home / ".pulumi").glob("*passphrase")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in said
    assert file.read_text() not in said
    assert (computer.home / ".pulumi" / "stacks").is_dir()
    assert str(file) not in computer.succeed("preview", "--stack", STACK), "it is said once"


@pytest.mark.parametrize("arguments", [("preview", "--stack", "dev"), ("stack", "init", "dev"), ("up",)])
def test_for_the_cloud_it_is_said_what_to_run(computer: Computer, arguments: tuple[str, ...]) -> None:
    code, said = computer.run(*arguments)
    assert code == 1
    assert "scripts/pulumi login --local" in said
    assert "Traceback" not in said


def test_up_fails_at_once_with_the_jobs_last_lines_and_the_next_one_runs_it_again(computer: Computer) -> None:
    computer.docker.break_on(Fault(RUN, CONTAINER, JOB))
    code, said = computer.run(*UP)
    assert code != 0
    assert all(line in said for line in LAST_LINES), said
    job = computer.containers()[JOB]

    computer.docker.break_on()
    said = computer.succeed(*UP)
    assert "+ 1 created" in said
    assert computer.containers()[JOB].id == job.id
    assert computer.docker.calls().count(("restart", CONTAINER, JOB)) == 1
    computer.succeed(*UP, "--refresh", "--expect-no-changes")


def _interrupt(computer: Computer, kind: str, name: str, how: signal.Signals) -> None:
    """End an `up` in the middle of making a resource, which is there all the same."""
    hung = ("hang", kind, name)
    before = computer.docker.calls().count(hung)
    computer.docker.break_on(Fault("create", kind, name, do="hang"))
    process = computer.start(*UP)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while computer.docker.calls().count(hung) == before:
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(how)
    process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode != 0
    computer.docker.break_on()


@pytest.mark.parametrize(
    ("kind", "name", "how"),
    [
        (CONTAINER, "local-mysql", signal.SIGINT),
        (CONTAINER, "local-mysql", signal.SIGKILL),
        (NETWORK, "local-batch", signal.SIGKILL),
    ],
)
def test_an_up_that_was_stopped_in_the_middle_is_completed_by_the_next(
    computer: Computer, kind: str, name: str, how: signal.Signals
) -> None:
    computer.clear()
    _interrupt(computer, kind, name, how)
    left = [one.id for one in computer.docker.resources() if one.name == name and one.type == kind]
    assert left

    said = computer.succeed(*UP)
    made = [one.id for one in computer.docker.resources() if one.name == name and one.type == kind]
    assert len(made) == 1
    assert len(computer.containers()) == 5
    if kind == CONTAINER:
        assert made != left, "what was begun is made again"
    assert "pending" not in computer.succeed(*UP, "--refresh", "--expect-no-changes"), said


def test_what_was_begun_is_gone_after_a_destroy_too(computer: Computer) -> None:
    computer.clear()
    _interrupt(computer, CONTAINER, JOB, signal.SIGKILL)
    computer.clear()
    assert computer.docker.resources() == []


def test_a_file_that_a_kill_has_cut_short_is_not_in_the_way(computer: Computer) -> None:
    (state,) = (computer.home / ".pulumi" / "stacks").glob("*/local.json")
    state.with_name("local.json.attrs").write_text('{"user.cache_control":"","us')
    computer.succeed("stack", "--stack", STACK)


def test_a_container_of_somebody_else_stays(computer: Computer) -> None:
    computer.clear()
    foreign: dict[str, Any] = {"name": "local-redis", "labels": [{"label": "stack", "value": "another"}]}
    with computer.docker.changing() as resources:
        resources[f"{CONTAINER} theirs"] = Resource(CONTAINER, "theirs", "local-redis", foreign, foreign)
    code, said = computer.run(*UP)
    assert code != 0
    assert 'The container name "/local-redis" is already in use' in said
    assert computer.docker.find(CONTAINER, "theirs")
    with computer.docker.changing() as resources:
        del resources[f"{CONTAINER} theirs"]
    computer.succeed(*UP)


def test_the_lock_of_a_process_that_runs_is_respected(computer: Computer) -> None:
    computer.succeed(*UP)
    computer.docker.break_on(Fault("delete", CONTAINER, "local-redis", do="hang"))
    process = computer.start("destroy", "--yes", "--skip-preview", "--stack", STACK)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while ("hang", CONTAINER, "local-redis") not in computer.docker.calls():
        assert process.poll() is None, process.stdout and process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    code, said = computer.run(*UP)
    assert code != 0
    assert "locked" in said
    assert psutil.pid_exists(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    computer.docker.break_on()
    computer.succeed(*UP)
    assert len(computer.containers()) == 5
