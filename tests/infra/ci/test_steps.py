"""The shell of every step, run as GitHub runs it, with stand-ins for programs that reach out."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.ci import comment, issue
from infra.ci.environments import NEEDED
from tests.infra.ci.github_server import Repository, github
from tests.infra.ci.workflows import ROOT, steps

pytestmark = pytest.mark.integration

CONNECTION = {name: f"the-{name}" for name in NEEDED}
EXPRESSIONS = {
    "toJSON(vars)": json.dumps({"SHOP_DEV": json.dumps(CONNECTION), "SHOP_PROD": json.dumps(CONNECTION)}),
    "matrix.environment": "prod",
    "matrix.backend": "the-backend",
    "matrix.registry": "the-registry",
    "inputs.environment": "prod",
    "fromJSON(inputs.connection).backend": "the-backend",
    "fromJSON(inputs.connection).registry": "the-registry",
    "github.token": "",
    "needs.environments.outputs.names": "dev,prod",
    "github.event.pull_request.number": "12",
    "github.event.pull_request.head.sha": "0123456789abcdef",
    "github.server_url": "https://github.com",
    "github.repository": "me/shop",
    "github.run_id": "7",
}
RUN = {f"{name}: {step['run'].strip().splitlines()[-1].strip()[:50]}": step for name, step in steps() if "run" in step}


@dataclass(frozen=True)
class Runner:
    """A folder like a checkout on one of GitHub's machines."""

    folder: Path
    repository: Repository

    def run(self, name: str) -> str:
        """Run a step; gives what was called, a line for each."""
        step = RUN[next(key for key in RUN if key.startswith(name))]
        given = {key: self._value(text) for key, text in step.get("env", {}).items()}
        environment = {
            **os.environ,
            **self.repository.environment(),
            "PATH": f"{self.folder}/bin{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "CALLS": str(self.folder / "calls"),
            **{key: value for key, value in given.items() if value},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder / "checkout",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        calls = self.folder / "calls"
        return calls.read_text() if calls.exists() else ""

    def section(self, name: str) -> Path:
        """The file of an environment's section."""
        return self.folder / "temp" / "sections" / f"{name}.md"

    def _value(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: EXPRESSIONS[found[1]], text)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    for folder in (checkout / ".venv" / "bin", programs, tmp_path / "temp" / "sections"):
        folder.mkdir(parents=True)
    for path in (ROOT / "app", ROOT / "infra", *ROOT.glob("Pulumi.*")):
        (checkout / path.name).symlink_to(path)
    (checkout / ".venv" / "bin" / "activate").write_text("ACTIVE=yes\n")
    for program in ("pulumi", "gcloud", "uv"):
        script = programs / program
        script.write_text(f'#!/bin/sh\necho "{program} $*" >> "$CALLS"\n')
        script.chmod(0o755)
    for program in ("python", "python3"):
        (programs / program).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / program).chmod(0o755)
    with github() as repository:
        yield Runner(tmp_path, repository)


def test_every_step_with_a_shell_is_run_here() -> None:
    assert {name.partition(": ")[0] for name in RUN} == {
        "test.yml",
        "preview.yml",
        "drift.yml",
        "deploy-environment.yml",
        "action.yml",
    }
    assert len(RUN) == 12, sorted(RUN)


@pytest.mark.parametrize("workflow", ["preview.yml", "drift.yml"])
def test_the_reachable_environments_are_outputs_of_the_step(runner: Runner, workflow: str) -> None:
    runner.run(f"{workflow}: environments")
    names, include = (runner.folder / "output").read_text().splitlines()
    assert names == "names=dev,prod"
    assert [one["environment"] for one in json.loads(include.partition("=")[2])] == ["dev", "prod"]


def test_the_base_is_put_beside_the_repository(runner: Runner) -> None:
    (runner.folder / "checkout" / "base").mkdir()
    runner.run("preview.yml: preview: mv base")
    assert (runner.folder / "temp" / "base").is_dir()


def test_the_preview_writes_a_section(runner: Runner) -> None:
    (runner.folder / "temp" / "base").symlink_to(ROOT)
    called = runner.run("preview.yml: preview: python -m infra.ci.preview")
    assert called == "pulumi preview --stack prod --json --non-interactive --policy-pack infra/policy\n"
    assert "unchanged" in runner.section("prod").read_text()


def test_the_check_for_drift_writes_an_empty_section_where_there_is_none(runner: Runner) -> None:
    called = runner.run("drift.yml: check: python -m infra.ci.preview")
    assert called.startswith("pulumi preview --stack prod --json --non-interactive --refresh --exclude ")
    assert runner.section("prod").read_text() == ""


def test_the_comment_is_written(runner: Runner) -> None:
    runner.section("dev").write_text("### dev\n")
    runner.run("preview.yml: comment")
    assert runner.repository.comments[12][0]["body"].startswith(f"{comment.MARKER}\n## Preview of 0123456789ab")


def test_the_issue_is_opened(runner: Runner) -> None:
    runner.section("dev").write_text("### dev\n\nchanged\n")
    runner.section("prod").write_text("")
    runner.run("drift.yml: issue")
    assert runner.repository.issues[0]["body"].startswith(issue.MARKER)
    assert runner.repository.issues[0]["body"].endswith("Seen by https://github.com/me/shop/actions/runs/7")


@pytest.mark.parametrize("job", ["drift.yml: check", "deploy-environment.yml: up"])
def test_docker_logs_in_by_gcloud(runner: Runner, job: str) -> None:
    assert runner.run(f"{job}: gcloud") == "gcloud auth configure-docker the-registry --quiet\n"


def test_the_deployment_is_one_command(runner: Runner) -> None:
    assert runner.run("deploy-environment.yml: up: pulumi") == (
        "pulumi up --stack prod --yes --non-interactive --suppress-outputs --policy-pack infra/policy\n"
    )


def test_what_is_installed_has_the_hashes_of_the_lock(runner: Runner) -> None:
    assert "--require-hashes requirements.lock" in runner.run("action.yml")


@pytest.mark.parametrize("module", ["environments", "comment", "issue"])
def test_what_runs_without_the_environment_needs_python_alone(module: str) -> None:
    code = f"import infra.ci.{module}"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, env={"PATH": os.environ["PATH"]}, check=True)
