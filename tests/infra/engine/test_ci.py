"""The workflows' commands by the real engine: what a reviewer reads, and what is found to be changed by hand."""

import subprocess
import sys

import pytest

from tests.infra.engine.workbench import PLACE, Workbench

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

STACK = "staging"
BUCKET = "gcp:storage/bucket:Bucket"


def test_a_preview_names_changes_cost_and_rules_and_the_nightly_check_finds_what_was_changed_by_hand(
    workbench: Workbench,
) -> None:
    def run(*command: str, expected: int = 0) -> str:
        done = subprocess.run(
            command,
            cwd=workbench.project,
            env=workbench.environment(STACK),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    def pulumi(*arguments: str) -> None:
        run(str(workbench.pulumi.program), *arguments, "--stack", STACK, "--non-interactive")

    def section(*options: str, expected: int = 0) -> str:
        file = workbench.folder / "sections" / f"{STACK}.md"
        command = ("-m", "infra.ci.preview", "--stack", STACK, "--section", str(file), *options)
        run(sys.executable, *command, expected=expected)
        return file.read_text()

    run(str(workbench.pulumi.program), "stack", "init", STACK)
    for key, value in {**PLACE, "shop-analytics:stream": "false"}.items():
        pulumi("config", "set", key, value)
    first = section("--base", str(workbench.project))
    assert "created | `staging-batch-host`" in first
    assert "Rules: all" in first
    assert "USD a month**, unchanged" in first

    pulumi("up", "--yes", "--skip-preview")
    assert "Resources: nothing changes." in section()
    assert section("--drift") == ""

    with workbench.cloud(STACK).changing() as resources:
        changed = next(one for one in resources.values() if one.type == BUCKET)
        changed.properties["publicAccessPrevention"] = "inherited"
    assert f"| changed | `{changed.name}` | `{BUCKET}` | `publicAccessPrevention` |" in section("--drift", expected=3)
