"""The program as a whole: what it declares by its settings, in what order, and what it tells."""

import ast
import re

import pytest

from tests.infra.declared import GCP, ROOT
from tests.infra.environments import environment

CLOUD = ("dev", "staging", "prod")


def test_the_program_is_one_screen_of_composition() -> None:
    text = (ROOT / "infra" / "__main__.py").read_text()
    assert len(text.splitlines()) < 60
    assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.For) for node in ast.walk(ast.parse(text)))


def test_no_code_asks_which_environment_it_is() -> None:
    for path in (ROOT / "infra").rglob("*.py"):
        assert not re.search(r"(environment|get_stack\(\)) (==|!=) |[!=]= \"(dev|staging|prod)\"", path.read_text()), (
            path
        )


@pytest.mark.parametrize("stack", CLOUD)
def test_everything_waits_for_the_services(stack: str) -> None:
    declared = environment(stack)
    services = {service.name for service in declared.all("gcp:projects/service:Service")}
    early = [
        one.name
        for one in declared.resources
        if one.custom and one.type.startswith("gcp:") and one.name not in services and not services <= one.depends_on
    ]
    assert early == []


@pytest.mark.parametrize("stack", [*CLOUD, "local"])
def test_every_resource_is_named_after_its_environment_and_has_a_component(stack: str) -> None:
    for one in environment(stack).resources:
        assert one.name.startswith(f"{stack}-"), one
        if one.custom and not one.type.startswith("pulumi:providers:"):
            assert one.parent != f"shop-analytics-{stack}", one


@pytest.mark.parametrize("stack", CLOUD)
def test_what_takes_labels_has_them(stack: str) -> None:
    for type_ in (
        "gcp:storage/bucket:Bucket",
        "gcp:pubsub/topic:Topic",
        "gcp:pubsub/subscription:Subscription",
        "gcp:bigquery/dataset:Dataset",
        "gcp:bigquery/table:Table",
        "gcp:compute/instance:Instance",
        "gcp:artifactregistry/repository:Repository",
        "gcp:dataflow/flexTemplateJob:FlexTemplateJob",
    ):
        for one in environment(stack).all(type_):
            labels = one.inputs["labels"]
            assert labels["environment"] == stack
            assert labels["managed-by"] == "pulumi"
            assert labels["component"]


def test_the_streaming_side_can_be_switched_off() -> None:
    declared = environment("dev", stream="false")
    assert declared.all("gcp:storage/bucket:Bucket")
    for type_ in ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", "gcp:pubsub/topic:Topic", "gcp:bigquery/table:Table"):
        assert not declared.all(type_)


def test_the_batch_side_can_be_switched_off() -> None:
    declared = environment("dev", batch="off")
    assert [one.name for one in declared.all("gcp:compute/instance:Instance")] == ["dev-publisher"]
    assert not [one for one in declared.resources if one.type.startswith("docker:")]


def test_the_publisher_can_be_switched_off() -> None:
    declared = environment("dev", publisher={"enabled": False}, batch="off")
    assert declared.all("gcp:dataflow/flexTemplateJob:FlexTemplateJob")
    assert not declared.all("gcp:compute/instance:Instance")


def test_nothing_of_the_local_environment_is_on_google_cloud() -> None:
    assert not [one.type for one in environment("local").resources if one.type.startswith("gcp:")]


def test_a_network_of_ones_own_is_used_in_place_of_a_new_one() -> None:
    subnetwork = "projects/shared-net/regions/europe-west1/subnetworks/shop"
    network = {"existing": "projects/shared-net/global/networks/shop", "existingSubnetwork": subnetwork}
    declared = environment("dev", network=network, batch="off")
    assert not [one for one in declared.resources if re.match(r"gcp:compute/(network|sub|router|firewall)", one.type)]
    publisher = declared.one("gcp:compute/instance:Instance")
    assert publisher.inputs["networkInterfaces"] == [{"subnetwork": subnetwork}]
    job = declared.one("gcp:dataflow/flexTemplateJob:FlexTemplateJob")
    assert job.inputs["subnetwork"].endswith(subnetwork)


@pytest.mark.parametrize("stack", CLOUD)
def test_people_are_told_where_to_look_and_what_to_type(stack: str) -> None:
    outputs = environment(stack).outputs
    for page in outputs["streamLinks"].values():
        assert page.startswith("https://console.cloud.google.com/")
        assert GCP["gcp:project"] in page
    commands = outputs["streamCommands"]
    assert f"gs://demo-project-{stack}-events/events/" in commands["uploadEvents"]
    assert f"--dataset demo-project.{stack}_shop_answers" in commands["buildTableauWorkbook"]


def test_the_commands_are_those_of_scripts_that_exist() -> None:
    for command in environment("dev").outputs["streamCommands"].values():
        script = command.split()[0]
        assert script == "gcloud" or (ROOT / script).is_file()
