"""A life of the environment dev: previewed, made, left alone, changed in its code and from outside, taken away."""

import json
import re
from dataclasses import dataclass

import pytest
from pulumi import automation
from pulumi.automation import OpType

from tests.infra.engine.stand_in.cloud import Cloud
from tests.infra.engine.workbench import (
    GOOGLE_PROJECT,
    PLACE,
    Workbench,
    changes,
    expect_no_change,
    left_over,
    stored_secrets,
)

# Where the CLI has to be built, the first test waits for it.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(3_600)]

ENVIRONMENT = "dev"
IMAGE = "docker-build:index:Image"
JOB = "gcp:dataflow/flexTemplateJob:FlexTemplateJob"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
PACKAGES = ("gcp", "docker", "docker-build")


@dataclass(frozen=True)
class Deployed:
    """An environment that is up, with what its preview said."""

    workbench: Workbench
    stack: automation.Stack
    expected: int
    made: int

    def cloud(self, package: str = "gcp") -> Cloud:
        return self.workbench.cloud(ENVIRONMENT, package)


@pytest.fixture(scope="module")
def deployed(workbench: Workbench) -> Deployed:
    stack = workbench.stack(ENVIRONMENT, PLACE)
    # A budget has to know the project's number, which nobody tells before its service is enabled.
    stack.set_config(
        "shop-analytics:operations.billingAccount", automation.ConfigValue("012345-6789AB-CDEF01"), path=True
    )
    expected = stack.preview().change_summary
    assert set(expected) == {OpType.CREATE}
    assert not any(workbench.cloud(ENVIRONMENT, package).resources() for package in PACKAGES)
    made = changes(stack.up())
    assert set(made) == {"create"}
    return Deployed(workbench, stack, expected[OpType.CREATE], made["create"])


def test_up_makes_what_the_preview_said(deployed: Deployed) -> None:
    assert deployed.made == deployed.expected
    assert all(deployed.cloud(package).resources() for package in PACKAGES)


def test_a_refresh_and_a_second_up_change_nothing(deployed: Deployed) -> None:
    before = deployed.cloud().calls()
    expect_no_change(deployed.stack.up())
    expect_no_change(deployed.stack.up(refresh=True))
    assert deployed.cloud().calls() == before


def test_no_password_stands_in_the_state(deployed: Deployed) -> None:
    secrets = stored_secrets(deployed.cloud())
    assert secrets
    files = [file for file in (deployed.workbench.folder / "state").rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files for secret in secrets if secret.encode() in file.read_bytes()]


def test_a_change_of_code_updates_the_running_job_in_place(deployed: Deployed) -> None:
    before = {one.name: one.properties["digest"] for one in deployed.cloud("docker-build").resources()}
    calls = len(deployed.cloud().calls())
    with (deployed.workbench.project / "app" / "stream" / "pipeline.py").open("a") as code:
        code.write("# another version\n")
    said: list[str] = []
    deployed.stack.preview(on_output=said.append)
    assert not re.search(r"-stream@[^s]|-events-\.json", "".join(said)), "an empty digest is taken for one"
    deployed.stack.up()
    after = {one.name: one.properties["digest"] for one in deployed.cloud("docker-build").resources()}
    image = f"{ENVIRONMENT}-stream"
    assert after[image] != before[image]
    made = deployed.cloud().calls()[calls:]
    assert [action for action, kind, _ in made if kind == JOB] == ["update"]
    resources = deployed.cloud().resources()
    job = next(one for one in resources if one.type == JOB)
    (template,) = (one for one in resources if one.name.endswith("-template"))
    assert job.properties["containerSpecGcsPath"].endswith(f"/{template.properties['name']}")
    for told in (template.properties["content"], job.properties["parameters"]["worker_image"]):
        assert after[image] in told


def test_a_preview_warns_of_a_setting_that_would_end_the_running_job(deployed: Deployed) -> None:
    workers, said = "shop-analytics:stream.maxWorkers", list[str]()
    asked = deployed.stack.get_config(workers, path=True)
    deployed.stack.set_config(workers, automation.ConfigValue("9"), path=True)
    try:
        expected = deployed.stack.preview(on_output=said.append).change_summary
    finally:
        deployed.stack.set_config(workers, asked, path=True)
    assert f"maxWorkers of the streaming job changes from {asked.value} to 9" in "\n".join(said)
    assert expected.get(OpType.REPLACE) == 2, "the template and the job"


def test_a_change_from_outside_is_seen_by_a_refresh_and_put_right_by_up(deployed: Deployed) -> None:
    with deployed.cloud().changing() as resources:
        changed = next(one for one in resources.values() if one.type == SUBSCRIPTION)
        asked = changed.properties["messageRetentionDuration"]
        changed.properties["messageRetentionDuration"] = "600s"
        gone = next(key for key, one in resources.items() if one.type.endswith("SubscriptionIAMMember"))
        del resources[gone]
    assert changes(deployed.stack.refresh()) == {"update": 1, "delete": 1}
    assert changes(deployed.stack.up()) == {"update": 1, "create": 1}
    found = {one.id: one for one in deployed.cloud().resources()}
    assert found[changed.id].properties["messageRetentionDuration"] == asked
    assert any(one.type.endswith("SubscriptionIAMMember") for one in found.values())


def test_the_outputs_name_what_there_is(deployed: Deployed) -> None:
    outputs = {name: output.value for name, output in deployed.stack.outputs().items()}
    assert GOOGLE_PROJECT in json.dumps(outputs)
    assert "04da6b54" not in json.dumps(outputs)


def test_destroy_leaves_nothing(deployed: Deployed) -> None:
    deployed.stack.destroy()
    assert left_over(deployed.workbench, ENVIRONMENT) == []
    assert not (deployed.stack.export_stack().deployment or {}).get("resources")
