"""The batch machine in the real engine: its containers go and come with it, and its data and passwords stay."""

from collections.abc import Iterator

import pytest
from pulumi import automation

import infra.batch_host
from tests.infra.engine.workbench import PLACE, Workbench, left_over, stored_secrets

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_200)]

ENVIRONMENT = "dev"
INSTANCE = "gcp:compute/instance:Instance"
CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
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
