"""CI's roles cover the calls that Google's provider makes for what the environments declare."""

import json

import pytest

from infra.ci_permissions import PERMISSIONS
from tests.infra.inventory.record import FOLDER

CALLS = {
    "gcp:bigquery/dataset:Dataset": {"get", "create", "update", "delete"},
    "gcp:bigquery/table:Table": {"get", "create", "update", "delete"},
    "gcp:cloudscheduler/job:Job": {"get", "create", "update", "delete", "enable", "pause"},
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob": {"get", "create", "updateContents", "cancel"},
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": {"get", "getAttestationRules"},
    "gcp:projects/service:Service": {"list", "enable"},
    "gcp:pubsub/subscription:Subscription": {"get", "create", "update", "delete", "attachSubscription"},
    "gcp:secretmanager/secretVersion:SecretVersion": {"get", "access", "add", "enable", "disable", "destroy"},
    "gcp:storage/bucket:Bucket": {"get", "create", "update", "delete"},
}
"""The last words of the permissions for the calls of terraform-provider-google-beta's sources, by type."""
BESIDES = {
    "gcp:storage/bucket:Bucket": {"storage.anywhereCaches.list", "storage.objects.list"},
    "gcp:compute/subnetwork:Subnetwork": {"compute.regionOperations.get"},
    "gcp:compute/network:Network": {"compute.globalOperations.get"},
    "gcp:compute/instance:Instance": {"compute.zoneOperations.get", "compute.disks.create", "compute.subnetworks.use"},
}
"""Permissions for calls that are for another kind of thing."""
OF_PEOPLE = ("gcp:billing/budget:", "gcp:iam/", "gcp:projects/iAM", "gcp:storage/bucketObject:")
"""Types that only a person changes, or whose role is given on a single thing."""
MADE = ("create", "createInternal", "add", "enable", "update", "setIamPolicy", "addResourcePolicies")


def declared() -> list[str]:
    """The types of Google Cloud in all inventories."""
    lines = {line for file in FOLDER.glob("*.json") for line in json.loads(file.read_text())}
    return sorted({line.split(" ")[0] for line in lines if line.startswith("gcp:")})


@pytest.mark.parametrize("kind", declared())
def test_each_type_can_be_read_made_and_taken_away(kind: str) -> None:
    access = PERMISSIONS[kind]
    if kind.startswith(OF_PEOPLE):
        assert not access.write
        return
    assert access.read
    assert {one.rpartition(".")[2] for one in access.write} & set(MADE)


@pytest.mark.parametrize("kind", CALLS)
def test_each_call_of_the_provider_is_covered(kind: str) -> None:
    access = PERMISSIONS[kind]
    assert CALLS[kind] <= {one.rpartition(".")[2] for one in (*access.read, *access.write)}


@pytest.mark.parametrize("kind", BESIDES)
def test_calls_for_other_kinds_of_things_are_covered(kind: str) -> None:
    access = PERMISSIONS[kind]
    assert BESIDES[kind] <= {*access.read, *access.write}
