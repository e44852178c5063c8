"""The job runs what was built, privately and with bounds; a new image reaches it through the template's path."""

import hashlib
import json
import logging
import re

import pytest

from app.stream.settings import Settings
from infra.flex_template import PARAMETERS
from infra.stream_job import OUTPUT, replacements
from tests.infra.declared import Declared, Resource, declare_stack
from tests.infra.engine.stand_in.values import UNREAD
from tests.infra.environments import environment

JOB, OBJECT = "gcp:dataflow/flexTemplateJob:FlexTemplateJob", "gcp:storage/bucketObject:BucketObject"
DIGEST = "1" * 64


def job(stack: str = "prod") -> Resource:
    return environment(stack).one(JOB)


def test_workers_are_private_and_bounded() -> None:
    inputs = job().inputs
    assert inputs["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert inputs["enableStreamingEngine"] is True
    given = json.loads(environment("prod").one(OBJECT).inputs["content"])["defaultEnvironment"]
    assert (given["numWorkers"], given["maxWorkers"], given["machineType"]) == (2, 10, "n2-standard-2")
    assert given["tempLocation"] == "gs://demo-project-prod-staging/temp"
    assert given["stagingLocation"] == "gs://demo-project-prod-staging/staging"
    assert inputs["serviceAccountEmail"] == "prod-events-worker@demo-project.iam.gserviceaccount.com"
    assert "/subnetworks/prod-network-europe-west1" in inputs["subnetwork"]


@pytest.mark.parametrize(("stack", "does"), [("dev", "cancel"), ("staging", "drain"), ("prod", "drain")])
def test_a_job_that_is_removed_ends_as_is_set(stack: str, does: str) -> None:
    assert job(stack).inputs["onDelete"] == does


def test_the_templates_path_follows_its_content_which_names_the_image_by_its_digest() -> None:
    template = environment("prod").one(OBJECT).inputs
    assert template["name"] == f"templates/prod-events-{hashlib.sha256(template['content'].encode()).hexdigest()}.json"
    assert job().inputs["containerSpecGcsPath"] == f"gs://demo-project-prod-staging/{template['name']}"
    image = f"europe-west1-docker.pkg.dev/demo-project/prod-images/prod-stream@sha256:{DIGEST}"
    content = json.loads(template["content"])
    assert content["image"] == content["defaultEnvironment"]["sdkContainerImage"] == image
    assert job().inputs["parameters"]["worker_image"] == image
    assert job().inputs["parameters"]["worker_type"] == content["defaultEnvironment"]["machineType"]


def test_the_job_has_no_argument_that_the_provider_cannot_read_back() -> None:
    assert not UNREAD[JOB] & job().inputs.keys()


def test_the_template_describes_the_pipelines_own_options() -> None:
    content = json.loads(environment("prod").one(OBJECT).inputs["content"])
    assert content["sdkInfo"] == {"language": "PYTHON"}
    described = {parameter["name"]: parameter for parameter in content["metadata"]["parameters"]}
    assert described.keys() == PARAMETERS.keys() <= Settings.__dataclass_fields__.keys()
    for name, value in job().inputs["parameters"].items():
        assert all(re.fullmatch(form, value) for form in described[name]["regexes"]), name


def test_the_pipeline_takes_the_parameters_that_the_job_is_given() -> None:
    parameters = job().inputs["parameters"]
    numbers = {name: int(value) for name, value in parameters.items() if value.isdigit()}
    settings = Settings(**parameters | numbers)
    assert settings.subscription == "projects/demo-project/subscriptions/prod-events-pipeline"
    assert settings.dataset == "demo-project.prod_shop"
    assert settings.archive == "gs://demo-project-prod-archive/events"


def test_no_argument_is_given_twice() -> None:
    inputs = job().inputs
    snake = {re.sub(r"([A-Z])", lambda upper: "_" + upper[1].lower(), name) for name in inputs if name != "parameters"}
    assert not snake & inputs["parameters"].keys()
    assert not {"streaming", "num_workers", "max_num_workers", "region"} & inputs["parameters"].keys()


def test_the_job_begins_when_its_account_may_do_what_it_has_to() -> None:
    declared = environment("prod")
    account = f"serviceAccount:{job().inputs['serviceAccountEmail']}"
    grants = {one.name for one in declared.resources if one.inputs.get("member") == account}
    assert grants
    assert grants <= job().depends_on


def test_workers_have_the_narrowest_rights_that_do() -> None:
    member = "serviceAccount:prod-events-worker@demo-project.iam.gserviceaccount.com"
    assert rights(environment("prod"), member) == {
        ("project", "roles/dataflow.worker"),
        ("project", "roles/bigquery.readSessionUser"),
        ("prod-events-pipeline", "roles/pubsub.subscriber"),
        ("prod-events-pipeline", "roles/pubsub.viewer"),
        ("event_log", "roles/bigquery.dataEditor"),
        ("bad_event_log", "roles/bigquery.dataEditor"),
        ("activity_log", "roles/bigquery.dataEditor"),
        ("session_log", "roles/bigquery.dataEditor"),
        ("demo-project-prod-archive", "roles/storage.objectUser"),
        ("demo-project-prod-staging", "roles/storage.objectUser"),
        ("prod-images", "roles/artifactregistry.reader"),
    }


def rights(declared: Declared, member: str) -> set[tuple[str, str]]:
    """What a member may do, each on the narrowest thing that is named."""
    found = [one.inputs for one in declared.resources if one.inputs.get("member") == member]
    things = ("tableId", "subscription", "topic", "bucket", "repository")
    return {(next((grant[thing] for thing in things if thing in grant), "project"), grant["role"]) for grant in found}


def test_each_change_that_replaces_the_job_is_said() -> None:
    before = {"name": "a", "region": "b", "minWorkers": 1, "maxWorkers": 2}
    assert replacements(before, before) == []
    assert replacements({}, before) == []
    assert replacements(before | {"more": 1}, before) == []
    for key in before:
        (text,) = replacements(before | {key: "before"}, before)
        assert text.startswith(f"{key} of the streaming job changes from before to {before[key]}, ")


def test_a_preview_warns_of_a_job_that_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    known = environment("dev").outputs[OUTPUT] | {"maxWorkers": 7}
    with caplog.at_level(logging.WARNING):
        declare_stack("dev", answers={"pulumi:pulumi:readStackOutputs": {"outputs": {OUTPUT: known}}})
    assert "maxWorkers of the streaming job changes from 7 to 2" in caplog.text
    assert caplog.text.count("streaming job changes") == 1
