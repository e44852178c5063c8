"""How the real services behave where it matters to a program: identity, replacement, protection, enabled APIs.

The SDK's documentation says of some arguments that a change replaces the resource; what it does not say stands here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.infra.engine.stand_in.schema import Schema

_IAM: Final = re.compile(r"I[aA][mM](Member|Binding|Policy|AuditConfig)$")
_IAM_RESOURCE: Final = "gcp:"
_NAMES: Final = (
    "workloadIdentityPoolProviderId", "workloadIdentityPoolId", "accountId", "tableId", "datasetId", "secretId",
    "repositoryId", "batchId", "roleId", "service", "name",
)  # fmt: skip
_PARENTS: Final[Mapping[str, str]] = {
    "project": "projects",
    "location": "locations",
    "region": "regions",
    "zone": "zones",
    "bucket": "buckets",
    "datasetId": "datasets",
    "dataset": "datasets",
    "workloadIdentityPoolId": "workloadIdentityPools",
}
_BUCKET: Final = "gcp:storage/bucket:Bucket"
_ACCOUNT: Final = "gcp:serviceaccount/account:Account"
# A resource's own place never changes.
_PLACE: Final = {*_NAMES, *_PARENTS, "secret"}

_REPLACES: Final[Mapping[str, set[str]]] = {
    "gcp:compute/instance:Instance": {"bootDisk", "metadataStartupScript", "canIpForward"},
    "gcp:compute/subnetwork:Subnetwork": {"network"},
    "gcp:compute/disk:Disk": {"type", "image", "snapshot"},
    "gcp:pubsub/subscription:Subscription": {"topic", "enableMessageOrdering", "filter"},
    "gcp:bigquery/table:Table": {"timePartitioning", "rangePartitioning"},
    "gcp:secretmanager/secretVersion:SecretVersion": {"secretData", "secret"},
    "docker:index/remoteImage:RemoteImage": {"triggers", "build"},
}
_REPLACED_BY_ALL: Final = {"docker:index/volume:Volume", "docker:index/network:Network"}
_CONTAINER: Final = "docker:index/container:Container"
_CONTAINER_UPDATES: Final = {
    "attach", "containerReadRefreshTimeoutMilliseconds", "cpuSet", "cpuShares", "destroyGraceSeconds", "logs",
    "maxRetryCount", "memory", "memorySwap", "mustRun", "removeVolumes", "restart", "rm", "start", "wait",
    "waitTimeout",
}  # fmt: skip

_PROTECTED: Final = {"gcp:bigquery/table:Table"}
"""Types that the provider protects from deletion unless told otherwise."""

_APIS: Final[Mapping[str, str]] = {
    "artifactregistry": "artifactregistry.googleapis.com",
    "bigquery": "bigquery.googleapis.com",
    "billing/budget": "billingbudgets.googleapis.com",
    "compute": "compute.googleapis.com",
    "dataflow": "dataflow.googleapis.com",
    "dataproc": "dataproc.googleapis.com",
    "iam/": "iam.googleapis.com",
    "kms": "cloudkms.googleapis.com",
    "monitoring": "monitoring.googleapis.com",
    "pubsub": "pubsub.googleapis.com",
    "secretmanager": "secretmanager.googleapis.com",
    "serviceaccount": "iam.googleapis.com",
}

_ASKED: Final[Mapping[str, str]] = {
    "gcp:organizations/getProject:": "cloudresourcemanager.googleapis.com",
    "gcp:storage/": "storage.googleapis.com",
    "gcp:bigquery/": "bigquery.googleapis.com",
    "gcp:compute/": "compute.googleapis.com",
}


def is_iam(kind: str) -> bool:
    """Whether a type grants a role; these have no name, and granting twice changes nothing."""
    return kind.startswith(_IAM_RESOURCE) and bool(_IAM.search(kind))


def identity(kind: str, inputs: Mapping[str, Any], name: str) -> tuple[str, bool]:
    """The id of a resource from what was asked for, and whether only one may have it.

    `name` is that of the program, for what the service numbers by itself.
    """
    if is_iam(kind):
        return "/".join(str(value) for key, value in sorted(inputs.items()) if isinstance(value, str)), False
    key = next((key for key in _NAMES if inputs.get(key)), None)
    if kind == _BUCKET:
        return str(inputs[key] if key else name), True
    if kind == _ACCOUNT:
        project = inputs.get("project", "")
        return f"projects/{project}/serviceAccounts/{inputs['accountId']}@{project}.iam.gserviceaccount.com", True
    parents = [
        f"{collection}/{inputs[parent]}"
        for parent, collection in _PARENTS.items()
        if inputs.get(parent) and parent != key
    ]
    if kind.startswith("gcp:compute/") and not {"region", "zone"} & inputs.keys():
        parents.append("global")
    collection = kind.split(":")[1].split("/")[-1] + "s"
    return "/".join([*parents, collection, str(inputs[key] if key else name)]), key is not None


def is_autonamed(kind: str, schema: Schema) -> bool:
    """Whether the provider gives a name where the program gave none."""
    named = schema.inputs.get("name")
    return named is not None and not named.required and not kind.startswith("docker-build:")


def replaces(kind: str, key: str, schema: Schema) -> bool:
    """Whether a change of this argument makes a new resource in place of the old one."""
    if kind == _CONTAINER:
        return key not in _CONTAINER_UPDATES
    if kind in _REPLACED_BY_ALL or is_iam(kind):
        return True
    documented = key in schema.inputs and schema.inputs[key].replaces
    return documented or key in _PLACE or key in _REPLACES.get(kind, ())


def protection(kind: str, properties: Mapping[str, Any]) -> str | None:
    """Why a resource may not be deleted; None if it may."""
    if properties.get("deletionPolicy") == "PREVENT":
        return "deletionPolicy is PREVENT"
    if properties.get("deletionProtection", kind in _PROTECTED):
        return "deletionProtection is on"
    return None


def needed_api(kind: str) -> str | None:
    """The API that must be enabled in a project before it can hold such a resource."""
    module = kind.split(":")[1]
    return next((api for start, api in _APIS.items() if kind.startswith("gcp:") and module.startswith(start)), None)


def asked_api(function: str) -> str | None:
    """The API that must be enabled before a function can be asked."""
    return next((api for start, api in _ASKED.items() if function.startswith(start)), None)
