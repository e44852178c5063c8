"""What CI needs to be allowed for each type of resource: to look at one, and to make, change and delete one.

The roles of CI's accounts are made from this table and from nothing else. A test fails for a type that the program
declares and that is not here. What is not here to write, such as CI's own identity, only a person changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Access:
    """Permissions for a type of resource."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()


def _of(service: str, *, read: str = "get", write: str = "", policy: bool = False) -> Access:
    """Permissions of one kind of thing, such as `pubsub.topics`, by their last words; `policy` adds its IAM."""
    reads, writes = read.split(), write.split()
    if policy:
        reads, writes = [*reads, "getIamPolicy"], [*writes, "setIamPolicy"]
    return Access(tuple(f"{service}.{verb}" for verb in reads), tuple(f"{service}.{verb}" for verb in writes))


def _policy(service: str) -> Access:
    return _of(service, read="", policy=True)


def _all(*parts: Access) -> Access:
    return Access(
        tuple(permission for part in parts for permission in part.read),
        tuple(permission for part in parts for permission in part.write),
    )


_OPERATIONS: Final = Access(
    (
        "compute.globalOperations.get",
        "compute.regionOperations.get",
        "compute.zoneOperations.get",
        "compute.projects.get",
    )
)
_CHANGED: Final = "create update delete"

PERMISSIONS: Final[Mapping[str, Access]] = {
    "gcp:artifactregistry/repository:Repository": _of(
        "artifactregistry.repositories", read="get downloadArtifacts", write=f"{_CHANGED} uploadArtifacts"
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _policy("artifactregistry.repositories"),
    "gcp:bigquery/dataset:Dataset": _of("bigquery.datasets", write=_CHANGED, policy=True),
    "gcp:bigquery/datasetAccess:DatasetAccess": _of("bigquery.datasets", write="update", policy=True),
    "gcp:bigquery/datasetIamMember:DatasetIamMember": _of("bigquery.datasets", write="update", policy=True),
    "gcp:bigquery/iamMember:IamMember": _policy("bigquery.tables"),
    "gcp:bigquery/table:Table": _of("bigquery.tables", write=_CHANGED),
    # A budget is the billing account's: who keeps one in CI gives roles/billing.costsManager there.
    "gcp:billing/budget:Budget": Access(()),
    # The provider resumes a job after each change.
    "gcp:cloudscheduler/job:Job": _of("cloudscheduler.jobs", write=f"{_CHANGED} enable pause"),
    "gcp:compute/address:Address": _all(
        _of("compute.addresses", write="createInternal deleteInternal setLabels useInternal"), _OPERATIONS
    ),
    "gcp:compute/disk:Disk": _all(_of("compute.disks", write="create delete resize setLabels use"), _OPERATIONS),
    "gcp:compute/diskResourcePolicyAttachment:DiskResourcePolicyAttachment": _all(
        _of("compute.disks", write="addResourcePolicies removeResourcePolicies"),
        _of("compute.resourcePolicies", write="use"),
    ),
    "gcp:compute/firewall:Firewall": _all(
        _of("compute.firewalls", write=_CHANGED), _of("compute.networks", write="updatePolicy"), _OPERATIONS
    ),
    "gcp:compute/instance:Instance": _all(
        _of(
            "compute.instances",
            write="create delete start stop attachDisk detachDisk setDeletionProtection setLabels setMachineType "
            "setMetadata setScheduling setServiceAccount setTags update updateShieldedInstanceConfig",
        ),
        _of("compute.disks", write="create use setLabels"),
        # Who deploys logs in to the batch host, which runs the containers that the program declares.
        _of("compute.instances", read="", write="osAdminLogin"),
        _of("iap.tunnelInstances", read="", write="accessViaIAP"),
        _of("compute.subnetworks", write="use"),
        _of("compute.images", read="get getFromFamily"),
        _of("compute.machineTypes"),
        _of("compute.zones"),
        _OPERATIONS,
    ),
    "gcp:compute/instanceIAMMember:InstanceIAMMember": _policy("compute.instances"),
    "gcp:compute/network:Network": _all(_of("compute.networks", write=f"{_CHANGED} updatePolicy use"), _OPERATIONS),
    "gcp:compute/resourcePolicy:ResourcePolicy": _all(_of("compute.resourcePolicies", write=_CHANGED), _OPERATIONS),
    "gcp:compute/router:Router": _all(_of("compute.routers", write=_CHANGED), _of("compute.networks", write="use")),
    "gcp:compute/routerNat:RouterNat": _of("compute.routers", write="update"),
    "gcp:compute/subnetwork:Subnetwork": _all(
        _of("compute.subnetworks", write=f"{_CHANGED} setPrivateIpGoogleAccess use"), _OPERATIONS
    ),
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob": _of(
        "dataflow.jobs", read="get list", write="create cancel updateContents"
    ),
    "gcp:dataproc/batch:Batch": _of("dataproc.batches", read="get list", write="create cancel delete"),
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": _of(
        "iam.workloadIdentityPools", read="get getAttestationRules"
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": _of("iam.workloadIdentityPoolProviders"),
    "gcp:iap/tunnelInstanceIAMMember:TunnelInstanceIAMMember": _policy("iap.tunnelInstances"),
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": _policy("cloudkms.cryptoKeys"),
    "gcp:logging/metric:Metric": _of("logging.logMetrics", write=_CHANGED),
    "gcp:monitoring/alertPolicy:AlertPolicy": _of("monitoring.alertPolicies", write=_CHANGED),
    "gcp:monitoring/dashboard:Dashboard": _of("monitoring.dashboards", write=_CHANGED),
    "gcp:monitoring/notificationChannel:NotificationChannel": _of("monitoring.notificationChannels", write=_CHANGED),
    "gcp:projects/iAMCustomRole:IAMCustomRole": _of("iam.roles"),
    # To give roles on the project is a permission of its own, which is bound to the roles that are given.
    "gcp:projects/iAMAuditConfig:IAMAuditConfig": _of("resourcemanager.projects", read="get getIamPolicy"),
    "gcp:projects/iAMMember:IAMMember": _of("resourcemanager.projects", read="get getIamPolicy"),
    "gcp:projects/service:Service": _of("serviceusage.services", read="get list", write="enable use"),
    "gcp:projects/serviceIdentity:ServiceIdentity": _of("serviceusage.services", read="get", write="enable"),
    "gcp:pubsub/subscription:Subscription": _all(
        _of("pubsub.subscriptions", write=_CHANGED), _of("pubsub.topics", write="attachSubscription")
    ),
    "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember": _policy("pubsub.subscriptions"),
    "gcp:pubsub/topic:Topic": _of("pubsub.topics", write=_CHANGED),
    "gcp:pubsub/topicIAMMember:TopicIAMMember": _policy("pubsub.topics"),
    "gcp:secretmanager/secret:Secret": _of("secretmanager.secrets", write=_CHANGED),
    "gcp:secretmanager/secretIamMember:SecretIamMember": _policy("secretmanager.secrets"),
    # The provider reads back what it has written.
    "gcp:secretmanager/secretVersion:SecretVersion": _of(
        "secretmanager.versions", write="access add destroy disable enable"
    ),
    "gcp:serviceaccount/account:Account": _of("iam.serviceAccounts", write=f"{_CHANGED} disable enable"),
    "gcp:serviceaccount/iAMMember:IAMMember": _policy("iam.serviceAccounts"),
    # Before a bucket is deleted, its caches and objects are listed.
    "gcp:storage/bucket:Bucket": _all(
        _of("storage.buckets", write=_CHANGED),
        _of("storage.anywhereCaches", read="", write="list"),
        _of("storage.objects", read="", write="list"),
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _policy("storage.buckets"),
    # Objects hold events: the role to read and write them is given on the one bucket whose objects the program makes.
    "gcp:storage/bucketObject:BucketObject": Access(()),
}
"""By the type of resource of Google Cloud."""


def reading() -> list[str]:
    """All permissions to look at what the program declares; none of them shows an event, an object or a secret."""
    return _sorted(access.read for access in PERMISSIONS.values())


def writing() -> list[str]:
    """All permissions to make, change and delete what the program declares, beside those to look at it."""
    return _sorted(access.read + access.write for access in PERMISSIONS.values())


def _sorted(parts: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({permission for part in parts for permission in part})
