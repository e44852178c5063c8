"""The environment is watched, and tells its cost."""

import json

import pytest

from app.batch.run_report import EVENT
from infra.ci_identity import granted_on_project
from infra.place import Place
from tests.infra.declared import GCP
from tests.infra.environments import environment as stack

POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
GUARD = "pulumi-python:dynamic/shop:DeletionGuard"
ALERTS = {
    "unacked",
    "bad-events",
    "lag",
    "job-failed",
    "job-missing",
    "batch-failed",
    "batch-missing",
    "publisher-down",
    "publisher-disk",
    "batch-down",
    "batch-disk",
}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_every_environment_has_every_alert_and_a_dashboard(name: str) -> None:
    assert {one.name for one in stack(name).all(POLICY)} == {f"{name}-alert-{role}" for role in ALERTS}
    text = stack(name).one("gcp:monitoring/dashboard:Dashboard").inputs["dashboardJson"]
    assert f"{name}-events-pipeline" in text
    assert f"{name}-publisher|{name}-batch" in text


def test_an_alert_names_what_is_declared() -> None:
    declared = stack("prod")
    subscriptions = {one.inputs["name"] for one in declared.all("gcp:pubsub/subscription:Subscription")}
    text = json.dumps([one.inputs["conditions"] for one in declared.all(POLICY)])
    assert all(
        f'subscription_id=\\\\\\"{name}\\\\\\"' in text or f'subscription_id=\\"{name}\\"' in text
        for name in subscriptions
    )
    assert declared.one("gcp:dataflow/flexTemplateJob:FlexTemplateJob").inputs["name"] in text
    assert EVENT in text


@pytest.mark.parametrize(
    ("section", "value", "gone"),
    [
        ("stream", "false", {role for role in ALERTS if not role.startswith("batch")}),
        ("batch", "off", {"batch-failed"}),
    ],
)
def test_what_is_switched_off_is_not_watched(section: str, value: str, gone: set[str]) -> None:
    names = {one.name for one in stack("dev", **{section: value}).all(POLICY)}
    assert not names & {f"dev-alert-{role}" for role in gone}
    assert names


def test_the_local_environment_is_not_watched() -> None:
    assert not [one for one in stack("local").resources if one.type.startswith("gcp:")]


@pytest.mark.parametrize(
    ("run", "roles"),
    [
        ("host", {"stream", "publisher", "batch"}),
        ("dataproc", {"stream", "publisher", "batch", "batch-job", "batch-start"}),
    ],
)
def test_ci_may_start_jobs_as_the_accounts_that_there_are(run: str, roles: set[str]) -> None:
    ci = {"repository": "me/shop", "repositoryId": 4711, "stateBucket": "demo-pulumi"}
    declared = stack("prod", ci=ci, batch={"run": run, "machineType": "e2-highmem-8"})
    emails = {f"{one.inputs['accountId']}@" for one in declared.all("gcp:serviceaccount/account:Account")}
    started = {
        one.name.removeprefix("prod-ci-starts-"): one.inputs["serviceAccountId"].rpartition("/")[2]
        for one in declared.all("gcp:serviceaccount/iAMMember:IAMMember")
        if one.name.startswith("prod-ci-starts-")
    }
    assert set(started) == roles
    assert all(f"{one.partition('@')[0]}@" in emails for one in started.values())


def test_the_outputs_tell_the_cost_by_component() -> None:
    cost = stack("prod").outputs["cost"]
    assert cost["usdAMonth"] == pytest.approx(sum(cost["byComponent"].values()), abs=0.1)
    assert "no bill" in cost["caution"]
    assert stack("prod").outputs["operations"]["budget"].startswith("There is no budget")
    assert "monitoring/dashboards" in stack("prod").outputs["operations"]["dashboard"]


def test_ci_may_give_the_roles_on_the_project_that_the_program_gives() -> None:
    declared = [*stack("prod").resources, *stack("prod", batch="dataproc").resources]
    given = {one.inputs["role"] for one in declared if one.type == "gcp:projects/iAMMember:IAMMember"}
    place = Place("prod", GCP["gcp:project"], GCP["gcp:region"], "")
    assert given == set(granted_on_project(place))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_nothing_goes_before_the_guard_of_the_environment(name: str) -> None:
    declared = stack(name)
    guards = {one.name: one for one in declared.all(GUARD)}
    last = guards.pop(f"{name}-deletion-protection")
    assert guards.keys() <= last.depends_on
    guarded = last.depends_on.union(*(one.depends_on for one in guards.values()))
    others = {one.name for one in declared.resources if one.custom and not one.type.startswith("pulumi:providers")}
    # The job's template names the image, so that this goes later than the template.
    assert others - guarded == {last.name, f"{name}-stream"}
    assert {one.protect for one in (last, *guards.values())} == {name == "prod"}
