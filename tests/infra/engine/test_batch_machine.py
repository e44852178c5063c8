"""The batch machine in the real engine: its containers go and come with it, and its data and passwords stay."""

from collections.abc import Iterator

import pytest
from pulumi import automation

import infra.batch_host
from tests.infra.engine.stand_in.cloud import Fault
from tests.infra.engine.stand_in.containers import RUN
from tests.infra.engine.stand_in.docker_cli import LAST_LINES
from tests.infra.engine.workbench import PLACE, Workbench, changes, expect_no_change, left_over, stored_secrets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_200)]

ENVIRONMENT = "dev"
INSTANCE = "gcp:compute/instance:Instance"
CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
JOB = "dev-batch-job"
CONTAINERS = {f"dev-{role}" for role in ("cassandra", "redis", "mysql", "grafana", "batch-job")}
VOLUMES = {f"{name}-data" for name in CONTAINERS} | {"dev-batch-dashboards"}


@pytest.fixture(scope="module")
def stack(workbench: Workbench) -> Iterator[automation.Stack]:
    made = workbench.stack(ENVIRONMENT, {**PLACE, "shop-analytics:stream": "false"})
    made.up()
    yield made
    made.destroy()
    assert left_over(workbench, ENVIRONMENT) == []


def test_another_machine_has_all_containers_made_anew_on_the_data_that_there_is(
    stack: automation.Stack, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = workbench.cloud(ENVIRONMENT)
    calls, passwords = len(cloud.calls()), stored_secrets(cloud)
    monkeypatch.setattr(infra.batch_host, "user_data", lambda *_: "#cloud-config\n{}\n")
    stack.up()
    made = {(kind, name) for action, kind, name in cloud.calls()[calls:] if action == "create"}
    assert {one for one in made if one[0].startswith("gcp:")} == {(INSTANCE, "dev-batch-host")}
    assert {name for kind, name in made if kind == CONTAINER} == CONTAINERS
    assert {name for kind, name in made if kind == VOLUME} == VOLUMES
    assert stored_secrets(cloud) == passwords


def test_what_an_interrupted_up_left_on_the_machine_goes_and_a_first_run_that_fails_there_fails_the_next(
    stack: automation.Stack, workbench: Workbench
) -> None:
    docker = workbench.cloud(ENVIRONMENT, "docker")
    # As if Pulumi had not lived to keep that it made them.
    kept = stack.export_stack()
    assert kept.deployment
    unknown = (f"{CONTAINER}::{JOB}", "FirstRun::dev-first-run", "-deletion-protection")
    resources = [one for one in kept.deployment["resources"] if not one["urn"].endswith(unknown)]
    stack.import_stack(automation.Deployment(kept.version, {**kept.deployment, "resources": resources}))
    docker.break_on(Fault(RUN, CONTAINER, JOB))
    with pytest.raises(automation.CommandError, match=LAST_LINES[0]):
        stack.up()
    assert docker.calls().count(("remove", CONTAINER, JOB)) == 1

    docker.break_on()
    assert changes(stack.up()) == {"create": 3}, "the first run, and the two guards that depend on it"
    assert docker.calls().count(("restart", CONTAINER, JOB)) == 1
    expect_no_change(stack.up(refresh=True))
