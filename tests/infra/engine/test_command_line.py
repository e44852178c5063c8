"""The environment `local` by the command line, as somebody types it: containers on this computer and no cloud."""

import subprocess

import pytest

from tests.infra.engine.workbench import Workbench

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

STACK = "local"


def test_the_batch_pipeline_of_one_machine_comes_up_stays_and_goes(workbench: Workbench) -> None:
    def pulumi(*arguments: str) -> str:
        done = subprocess.run(
            [workbench.pulumi.program, *arguments, "--non-interactive"],
            cwd=workbench.project,
            env=workbench.environment(STACK),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init", STACK)
    assert "to create" in pulumi("up", "--yes", "--stack", STACK)
    containers = {one.name for one in workbench.cloud(STACK, "docker").resources() if one.type.endswith(":Container")}
    assert {"cassandra", "redis", "mysql", "grafana"} <= {name.split("-")[1] for name in containers}
    assert workbench.cloud(STACK).resources() == []
    pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes", "--stack", STACK)
    assert "grafana" in pulumi("stack", "output", "--json", "--stack", STACK)
    pulumi("destroy", "--yes", "--stack", STACK)
    assert workbench.cloud(STACK, "docker").resources() == []
    pulumi("stack", "rm", "--yes", "--stack", STACK)
