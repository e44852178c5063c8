"""What goes wrong in the middle is put right by running it again: failures in staging, a killed CLI in prod."""

import signal
import subprocess
import time
from collections import Counter

import pytest
from pulumi import automation

from tests.infra.engine.stand_in.cloud import Cloud, Fault
from tests.infra.engine.workbench import PLACE, POLICIES, Workbench, changes, left_over

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_200)]

JOB = "gcp:dataflow/flexTemplateJob:FlexTemplateJob"
NETWORK = "gcp:compute/network:Network"
BUCKET = "gcp:storage/bucket:Bucket"


def _made_twice(cloud: Cloud) -> list[tuple[str, str, str]]:
    return [call for call, times in Counter(cloud.calls()).items() if times > 1]


def test_failures_in_the_middle_are_completed_by_the_next_run(workbench: Workbench) -> None:
    stack, cloud = workbench.stack("staging", PLACE), workbench.cloud("staging")
    cloud.break_on(Fault("create", JOB))
    with pytest.raises(automation.CommandError, match="create of staging-events failed, as it was told to"):
        stack.up()
    made = {one.type for one in cloud.resources()}
    assert NETWORK in made
    assert JOB not in made
    cloud.break_on()
    assert set(changes(stack.up())) == {"create"}
    assert JOB in {one.type for one in cloud.resources()}
    assert changes(stack.up(refresh=True)) == {}
    assert _made_twice(cloud) == []

    cloud.break_on(Fault("delete", BUCKET))
    with pytest.raises(automation.CommandError, match="failed, as it was told to"):
        stack.destroy()
    cloud.break_on()
    stack.destroy()
    assert left_over(workbench, "staging") == []


def _hang(workbench: Workbench, stack: automation.Stack) -> subprocess.Popen[bytes]:
    """Start an `up` on the command line that hangs at the network, and give it once it does."""
    cloud = workbench.cloud(stack.name)
    cloud.break_on(Fault("create", NETWORK, do="hang"))
    process = subprocess.Popen(
        [workbench.pulumi.program, "up", "--yes", "--skip-preview", "--non-interactive", "--stack", stack.name],
        cwd=workbench.project,
        env=workbench.environment(stack.name),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while ("hang", NETWORK, f"{stack.name}-network") not in cloud.calls():
        assert process.poll() is None, "the CLI ended before it hung"
        assert time.monotonic() < deadline, "the network was not reached"
        time.sleep(0.2)
    cloud.break_on()
    return process


def test_production_recovers_from_a_hang_that_was_canceled_or_killed_and_follows_every_rule(
    workbench: Workbench,
) -> None:
    stack, cloud = workbench.stack("prod", PLACE), workbench.cloud("prod")

    canceled = _hang(workbench, stack)
    canceled.send_signal(signal.SIGINT)
    assert canceled.wait(120) != 0
    killed = _hang(workbench, stack)
    killed.kill()
    killed.wait()
    # A killed CLI leaves its lock, and does not know whether the network was made.
    with pytest.raises(automation.errors.ConcurrentUpdateError):
        stack.refresh()
    stack.cancel()
    stack.refresh(clear_pending_creates=True)

    assert set(changes(stack.up(policy_packs=POLICIES))) == {"create"}
    assert changes(stack.up(refresh=True)) == {}
    assert [call for call in _made_twice(cloud) if call[0] != "hang"] == []

    with pytest.raises(automation.CommandError):
        stack.destroy()
    stack.set_config("shop-analytics:security.deletionProtection", automation.ConfigValue("false"), path=True)
    stack.up()
    stack.destroy()
    assert left_over(workbench, "prod") == []
