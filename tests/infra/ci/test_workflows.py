"""The workflows are right by their linter, hold the least of permissions, and are started and secured as promised."""

import re
import subprocess
from pathlib import Path

import pytest

from app.local.actionlint import ActionlintMissing, get_actionlint
from infra.settings import load
from tests.infra.ci.workflows import FOLDER, ROOT, WORKFLOWS, jobs, steps, triggers
from tests.infra.declared import GCP

PINNED = re.compile(r"\s*(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
LOCAL = re.compile(r"\s*(?:- )?uses: \./\.github/[\w./-]+")


@pytest.fixture(scope="session")
def actionlint() -> Path:
    try:
        return get_actionlint()
    except ActionlintMissing as missing:
        pytest.skip(f"unavoidable: {missing}")


@pytest.mark.integration
def test_the_linter_finds_nothing(actionlint: Path) -> None:
    done = subprocess.run([str(actionlint), "-color=false"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.integration
def test_the_linter_would_find_a_mistake(actionlint: Path, tmp_path: Path) -> None:
    wrong = (FOLDER / "workflows" / "drift.yml").read_text().replace("matrix.backend", "matrix.backed")
    wrong = wrong.replace("runs-on: ubuntu-24.04", "runs-on: ubuntu-99.04")
    (tmp_path / "wrong.yml").write_text(wrong)
    done = subprocess.run([str(actionlint), str(tmp_path / "wrong.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yml")), ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    used = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert [line for line in used if not (PINNED.fullmatch(line) or LOCAL.fullmatch(line))] == []


def test_an_action_is_of_one_version_everywhere() -> None:
    used = {step["uses"] for _, step in steps() if "@" in step.get("uses", "")}
    assert len({one.partition("@")[0] for one in used}) == len(used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_permission_and_every_job_its_own(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job in WORKFLOWS[name]["jobs"].values():
        assert job["permissions"]
        writes = {what for what, level in job["permissions"].items() if level == "write"}
        assert len(writes) <= 1
        assert writes <= {"id-token", "pull-requests", "issues"}


def test_who_writes_to_github_has_no_identity_in_the_cloud_and_runs_no_code_of_the_pull_request() -> None:
    writers = {name: job for name, job in jobs() if {"pull-requests", "issues"} & set(job["permissions"])}
    assert set(writers) == {"preview.yml: comment", "drift.yml: issue"}
    for job in writers.values():
        assert not [step for step in job["steps"] if "google-github-actions" in step.get("uses", "")]
    checkout = writers["preview.yml: comment"]["steps"][0]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_every_job_ends_in_time() -> None:
    for name, job in jobs():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 120, name


def test_checkouts_leave_no_token_behind() -> None:
    for name, step in steps():
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, name


def test_no_workflow_uses_a_secret_or_puts_an_expression_into_its_shell() -> None:
    for path in FOLDER.rglob("*.yml"):
        assert "secrets." not in path.read_text(), path.name
    for name, step in steps():
        assert "${{" not in step.get("run", ""), name


def test_one_run_at_a_time_and_no_deployment_is_ended_in_its_middle() -> None:
    assert WORKFLOWS["preview.yml"]["concurrency"]["cancel-in-progress"] is True
    assert WORKFLOWS["deploy-environment.yml"]["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }
    assert WORKFLOWS["drift.yml"]["concurrency"]["cancel-in-progress"] is False


def test_every_push_is_tested() -> None:
    tested = triggers(WORKFLOWS["test.yml"])
    assert tested["push"] == {"branches-ignore": ["main"]}
    assert triggers(WORKFLOWS["deploy.yml"])["push"] == {"branches": ["main"]}
    assert WORKFLOWS["deploy.yml"]["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"
    assert [step["run"] for step in WORKFLOWS["test.yml"]["jobs"]["test"]["steps"] if "run" in step] == [".ci/run"]


def test_a_fork_gets_tests_and_no_identity() -> None:
    assert "pull_request" in triggers(WORKFLOWS["test.yml"])
    assert "pull_request_target" not in triggers(WORKFLOWS["preview.yml"])
    first = WORKFLOWS["preview.yml"]["jobs"]["environments"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in first["if"]
    assert WORKFLOWS["preview.yml"]["jobs"]["preview"]["needs"] == "environments"


def test_deployment_goes_from_dev_to_staging_to_prod_each_by_its_environment() -> None:
    deploy = WORKFLOWS["deploy.yml"]["jobs"]
    assert deploy["dev"]["needs"] == "test"
    assert deploy["staging"]["needs"] == ["test", "dev"]
    assert deploy["prod"]["needs"] == ["test", "dev", "staging"]
    assert WORKFLOWS["deploy-environment.yml"]["jobs"]["up"]["environment"] == "${{ inputs.environment }}"
    for environment in ("dev", "staging", "prod"):
        assert deploy[environment]["with"] == {
            "environment": environment,
            "connection": f"${{{{ vars.SHOP_{environment.upper()} }}}}",
        }


def test_the_identities_are_those_that_their_workflows_may_use() -> None:
    used = {
        name: step["with"]["service_account"]
        for name, step in steps()
        if "google-github-actions/auth" in step.get("uses", "")
    }
    assert used == {
        "preview.yml: preview": "${{ matrix.previewAccount }}",
        "drift.yml: check": "${{ matrix.previewAccount }}",
        "deploy-environment.yml: up": "${{ fromJSON(inputs.connection).deployAccount }}",
    }


def test_the_workflows_that_the_identity_trusts_are_there() -> None:
    assert {"preview.yml", "drift.yml", "deploy.yml"} <= set(WORKFLOWS)
    assert load(GCP, "dev").ci.branch == "main"


def test_the_rules_are_asked_at_the_preview_and_at_the_deployment() -> None:
    (up,) = [step["run"] for name, step in steps() if "pulumi up" in step.get("run", "")]
    assert "--policy-pack infra/policy" in up
    assert "--non-interactive" in up
