"""CI's accounts: who may use them, and that they may do what they must and no more."""

import re

import pytest

from infra.ci.environments import NEEDED
from infra.ci_identity import CiIdentity, CiIdentityArgs
from infra.ci_permissions import PERMISSIONS, reading, writing
from infra.place import Place
from infra.policy.pack import RULES
from infra.settings import SettingsError, load
from infra.settings.ci import CiSettings
from tests.infra.declared import GCP, Declared, declare

PLACE = Place("prod", "demo-project", "europe-west1", "europe-west1-b")
CI = CiSettings(repository="me/shop", repository_id=4711, state_bucket="demo-pulumi", state_key=None)
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
USE = "gcp:serviceaccount/iAMMember:IAMMember"
GRANT = "gcp:projects/iAMMember:IAMMember"
ON_BUCKET = "gcp:storage/bucketIAMMember:BucketIAMMember"
ON_KEY = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
LOOKS = re.compile(r".*\.(get|list|getIamPolicy|getAttestationRules|getFromFamily|downloadArtifacts)")
SHOWS_DATA = ("getData", "storage.objects", "versions.access", "subscriptions.consume", "snapshots")


def identity(settings: CiSettings = CI) -> tuple[Declared, list[dict[str, str]]]:
    said: list[dict[str, str]] = []
    accounts = {"publisher": "projects/demo-project/serviceAccounts/prod-publisher@x"}

    def program() -> None:
        args = CiIdentityArgs(PLACE, settings, "prod-staging", accounts)
        CiIdentity("prod-ci", args).says.apply(said.append)

    return declare(program), said


def condition(job: str) -> str:
    declared, _ = identity()
    return str(declared.one(PROVIDER, f"prod-github-{job}").inputs["attributeCondition"])


def test_deployment_is_for_one_workflow_on_one_branch_after_the_approval_of_its_environment() -> None:
    assert condition("deploy") == (
        "assertion.sub == 'repo:me/shop:environment:prod' && assertion.repository_id == '4711' && "
        "assertion.workflow_ref == 'me/shop/.github/workflows/deploy.yml@refs/heads/main'"
    )


def test_looking_is_for_pull_requests_and_for_the_nightly_check() -> None:
    asked = condition("preview")
    assert "assertion.repository_id == '4711'" in asked
    assert "assertion.sub == 'repo:me/shop:pull_request'" in asked
    assert "assertion.workflow_ref.startsWith('me/shop/.github/workflows/preview.yml@')" in asked
    assert "assertion.workflow_ref == 'me/shop/.github/workflows/drift.yml@refs/heads/main'" in asked


def test_an_account_is_used_by_its_own_subjects_alone() -> None:
    declared, _ = identity()
    uses = {
        use.inputs["member"].rpartition("/subject/")[2]: use.inputs["serviceAccountId"]
        .rpartition("/")[2]
        .partition("@")[0]
        for use in declared.all(USE)
        if use.inputs["role"] == "roles/iam.workloadIdentityUser"
    }
    assert uses == {
        "repo:me/shop:pull_request": "prod-ci-preview",
        "repo:me/shop:ref:refs/heads/main": "prod-ci-preview",
        "repo:me/shop:environment:prod": "prod-ci-deploy",
    }
    assert all(
        use.inputs["member"].startswith("principal://iam.googleapis.com/")
        for use in declared.all(USE)
        if use.inputs["role"] == "roles/iam.workloadIdentityUser"
    )


def test_the_account_for_previews_only_looks_and_sees_no_data() -> None:
    assert [one for one in reading() if not LOOKS.fullmatch(one)] == []
    assert [one for one in reading() if any(part in one for part in SHOWS_DATA)] == []
    declared, _ = identity()
    assert declared.one(ROLE, "prod-ci-preview").inputs["permissions"] == reading()


def test_the_account_for_deployments_cannot_change_who_it_is() -> None:
    granted = set(writing())
    assert set(reading()) < granted
    for forbidden in ("iam.workloadIdentity", "iam.roles"):
        assert {one for one in granted if one.startswith(forbidden)} <= set(reading())
    assert "resourcemanager.projects.setIamPolicy" not in granted
    assert not {one for one in granted if any(part in one for part in ("getData", "*"))}
    # A bucket's objects are listed before it goes; none can be read.
    assert {one for one in granted if one.startswith("storage.objects")} == {"storage.objects.list"}


def test_it_gives_only_the_roles_that_jobs_need() -> None:
    declared, _ = identity()
    grant = declared.one(GRANT, "prod-ci-grant")
    expression = grant.inputs["condition"]["expression"]
    assert expression.startswith("api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([")
    assert "'roles/dataflow.worker'" in expression
    assert "owner" not in expression


def test_it_starts_jobs_as_their_accounts_one_by_one() -> None:
    declared, _ = identity()
    starts = [use for use in declared.all(USE) if use.inputs["role"] == "roles/iam.serviceAccountUser"]
    assert [start.inputs["serviceAccountId"] for start in starts] == [
        "projects/demo-project/serviceAccounts/prod-publisher@x"
    ]


def test_the_state_is_read_by_one_and_written_by_the_other() -> None:
    settings = CiSettings(repository="me/shop", repository_id=4711, state_bucket="demo-pulumi", state_key=KEY)
    declared, _ = identity(settings)
    roles = {grant.name: grant.inputs["role"] for grant in (*declared.all(ON_BUCKET), *declared.all(ON_KEY))}
    assert roles == {
        "prod-ci-preview-state": "roles/storage.objectViewer",
        "prod-ci-deploy-state": "roles/storage.objectUser",
        "prod-ci-preview-staging": "roles/storage.objectViewer",
        "prod-ci-deploy-staging": "roles/storage.objectUser",
        "prod-ci-preview-state-key": "roles/cloudkms.cryptoKeyDecrypter",
        "prod-ci-deploy-state-key": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    }


def test_it_says_what_the_workflows_read() -> None:
    _, said = identity()
    assert said[0]["backend"] == "gs://demo-pulumi"
    assert said[0]["previewAccount"] == "prod-ci-preview@demo-project.iam.gserviceaccount.com"
    assert set(said[0]) == set(NEEDED)


def test_without_a_repository_ci_is_nobody() -> None:
    declared, said = identity(CiSettings())
    assert [one.type for one in declared.resources] == ["shop:infra:CiIdentity"]
    assert said == [{"none": "Set ci.repository and ci.repositoryId to deploy from CI."}]


def test_it_follows_the_rules_and_is_in_the_table_of_permissions() -> None:
    declared, _ = identity()
    for one in declared.resources:
        assert [rule.name for rule in RULES if rule.complaints(one.type, one.inputs)] == [], one.name
        assert one.type.startswith("shop:") or one.type in PERMISSIONS, one.type


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"repository": "shop"}', "ci.repository"),
        ('{"repository": "me/shop"}', "ci.repositoryId"),
        ('{"repository": "me/shop", "repositoryId": 1}', "ci.stateBucket"),
        ('{"repository": "me/shop", "repositoryId": "me"}', "ci.repositoryId"),
        ('{"stateBucket": "Upper"}', "ci.stateBucket"),
        ('{"pool": "gcp-x"}', "ci.pool"),
        (f'{{"repository": "me/{"s" * 99}", "repositoryId": 1, "stateBucket": "abc", "branch": "a/b/c"}}', "shorter"),
    ],
)
def test_settings_that_are_not_valid_are_named(given: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        load(GCP | {"shop-analytics:ci": given}, "dev")
