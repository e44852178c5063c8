"""What goes wrong in the middle is put right by running it again: failures in staging, a killed CLI in prod."""

import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pulumi import automation

from tests.infra.engine.stand_in.cloud import Cloud, Fault
from tests.infra.engine.workbench import PLACE, POLICIES, Workbench, changes, expect_no_change, left_over

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

JOB = "gcp:dataflow/flexTemplateJob:FlexTemplateJob"
NETWORK = "gcp:compute/network:Network"
BUCKET = "gcp:storage/bucket:Bucket"
_QUIET_SECONDS = 4
_PATIENCE_SECONDS = 600


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
    expect_no_change(stack.up(refresh=True))
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
    output = workbench.folder / "up.txt"
    with output.open("w") as file:
        process = subprocess.Popen(
            [workbench.pulumi.program, "up", "--yes", "--skip-preview", "--non-interactive", "--stack", stack.name],
            cwd=workbench.project,
            env=workbench.environment(stack.name),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for_the_hang(workbench, stack, process, output)
    except BaseException:
        _kill(process)
        raise
    cloud.break_on()
    return process


def _wait_for_the_hang(
    workbench: Workbench, stack: automation.Stack, process: subprocess.Popen[bytes], output: Path
) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while ("hang", NETWORK, f"{stack.name}-network") not in workbench.cloud(stack.name).calls():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, f"the network was not reached:\n{output.read_text()}"
        time.sleep(0.2)
    # All else that can be made is made by then; the state in files does not survive a kill while it is written.
    while time.time() - _last_write(workbench.folder / "state") < _QUIET_SECONDS:
        time.sleep(0.2)


def _last_write(folder: Path) -> float:
    times = [folder.stat().st_mtime]
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # replaced in this moment
            times.append(file.stat().st_mtime)
    return max(times)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and all that it started at once, as when the machine goes down."""
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def _nothing_goes(stack: automation.Stack, cloud: Cloud) -> None:
    """Protected, an environment stays whole, whichever way it or a side of it is taken away."""
    there = sorted(one.id for one in cloud.resources())
    refused = pytest.raises(automation.CommandError, match=r"cannot be deleted\s+because it is protected")
    with refused:
        stack.preview_destroy()
    with refused:
        stack.destroy()  # without a preview
    for setting, value in (("batch.run", "off"), ("stream.enabled", "false")):
        key = f"shop-analytics:{setting}"
        stack.set_config(key, automation.ConfigValue(value), path=True)
        with refused:
            stack.up()
        with refused:
            stack.destroy()
        stack.remove_config(key, path=True)
    assert sorted(one.id for one in cloud.resources()) == there


def test_production_recovers_from_a_hang_that_was_canceled_or_killed_and_follows_every_rule(
    workbench: Workbench,
) -> None:
    stack, cloud = workbench.stack("prod", PLACE), workbench.cloud("prod")

    canceled = _hang(workbench, stack)
    canceled.send_signal(signal.SIGINT)
    assert canceled.wait(120) != 0
    killed = _hang(workbench, stack)
    _kill(killed)
    # A killed CLI leaves its lock, and does not know whether the network was made.
    with pytest.raises(automation.CommandError, match="locked"):
        stack.up()
    stack.cancel()

    assert set(changes(stack.up(policy_packs=POLICIES))) == {"create"}
    expect_no_change(stack.up(refresh=True))
    assert [call for call in _made_twice(cloud) if call[0] != "hang"] == []

    _nothing_goes(stack, cloud)
    stack.set_config("shop-analytics:security.deletionProtection", automation.ConfigValue("false"), path=True)
    stack.up()
    stack.destroy()
    # What is logged of the project is not the environment's to switch off.
    assert sorted(left_over(workbench, "prod")) == ["prod-audit-secretmanager", "prod-audit-storage"]
