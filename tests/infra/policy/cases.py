"""For each rule a resource that follows it, and changes of it that break it."""

import json
from dataclasses import dataclass
from typing import Any

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A type, the inputs of a resource that follows the rule (None: nothing does), and inputs that break it."""

    type: str
    follows: Inputs | None
    breaks: tuple[Inputs, ...]


BUCKET = "gcp:storage/bucket:Bucket"
DATASET = "gcp:bigquery/dataset:Dataset"
TABLE = "gcp:bigquery/table:Table"
TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
MACHINE = "gcp:compute/instance:Instance"
METADATA = "gcp:compute/projectMetadata:ProjectMetadata"
FIREWALL = "gcp:compute/firewall:Firewall"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
PROJECT_GRANT = "gcp:projects/iAMMember:IAMMember"
BUCKET_GRANT = "gcp:storage/bucketIAMMember:BucketIAMMember"
ACCOUNT_GRANT = "gcp:serviceaccount/iAMMember:IAMMember"
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
JOB = "gcp:dataflow/flexTemplateJob:FlexTemplateJob"
BATCH = "gcp:dataproc/batch:Batch"
CONTAINER = "docker:index/container:Container"
ALERT = "gcp:monitoring/alertPolicy:AlertPolicy"

_IAP = "35.235.240.0/20"
_SHIELD = {"enableSecureBoot": True, "enableVtpm": True, "enableIntegrityMonitoring": True}
_PROD = {"environment": "prod", "component": "events", "managed-by": "pulumi"}
_ACCOUNT = "serviceAccount:prod-publisher@my-project.iam.gserviceaccount.com"
_DEFAULT_EMAIL = "123456-compute@developer.gserviceaccount.com"
_CONDITION = (
    "assertion.sub == 'repo:me/shop:environment:prod' && assertion.repository_id == '1' && "
    "assertion.workflow_ref == 'me/shop/.github/workflows/deploy.yml@refs/heads/main'"
)
_GITHUB = {"issuerUri": "https://token.actions.githubusercontent.com"}
_DIGEST = "mysql@sha256:" + "a" * 64


def _ssh(*sources: str, ports: list[str] | None = None, protocol: str = "tcp") -> Inputs:
    allow = {"protocol": protocol} | ({"ports": ports} if ports else {})
    return {"direction": "INGRESS", "allows": [allow], "sourceRanges": list(sources)}


def _template(environment: dict[str, int]) -> dict[str, str]:
    return {"content": json.dumps({"sdkInfo": {"language": "PYTHON"}, "defaultEnvironment": environment})}


def _spark(**execution: str) -> Inputs:
    return {"environmentConfig": {"executionConfig": execution}}


CASES: dict[str, Case] = {
    "bucket-uniform-access": Case(
        BUCKET, {"uniformBucketLevelAccess": True}, ({"uniformBucketLevelAccess": False}, {})
    ),
    "bucket-public-access-prevented": Case(
        BUCKET, {"publicAccessPrevention": "enforced"}, ({"publicAccessPrevention": "inherited"}, {})
    ),
    "bucket-recoverable": Case(
        BUCKET,
        {"softDeletePolicy": {"retentionDurationSeconds": 604_800}},
        ({}, {"softDeletePolicy": {"retentionDurationSeconds": 0}}, {"versioning": {"enabled": False}}),
    ),
    "bucket-no-access-lists": Case("gcp:storage/bucketACL:BucketACL", None, ({"bucket": "events"},)),
    "dataset-not-public": Case(
        DATASET,
        {"accesses": [{"role": "READER", "groupByEmail": "analysts@example.com"}]},
        (
            {"accesses": [{"role": "READER", "specialGroup": "allAuthenticatedUsers"}]},
            {"accesses": [{"role": "READER", "iamMember": "allUsers"}]},
        ),
    ),
    "table-partition-filter": Case(
        TABLE,
        {"timePartitioning": {"type": "DAY", "field": "event_time"}, "requirePartitionFilter": True},
        (
            {"timePartitioning": {"type": "DAY", "field": "event_time"}},
            {"timePartitioning": {"type": "DAY"}, "requirePartitionFilter": False},
        ),
    ),
    "subscription-never-expires": Case(
        SUBSCRIPTION, {"expirationPolicy": {"ttl": ""}}, ({}, {"expirationPolicy": {"ttl": "2678400s"}})
    ),
    "subscription-retention": Case(
        SUBSCRIPTION, {"messageRetentionDuration": "604800s"}, ({"messageRetentionDuration": "600s"},)
    ),
    "topic-region": Case(
        TOPIC, {"messageStoragePolicy": {"allowedPersistenceRegions": ["us-central1"]}}, ({}, {"labels": {}})
    ),
    "vm-no-public-address": Case(
        MACHINE,
        {"networkInterfaces": [{"subnetwork": "dev"}]},
        (
            {"networkInterfaces": [{"accessConfigs": [{}]}]},
            {"networkInterfaces": [{"subnetwork": "dev"}, {"accessConfigs": [{"natIp": "203.0.113.1"}]}]},
            {"networkInterfaces": [{"ipv6AccessConfigs": [{"networkTier": "PREMIUM"}]}]},
        ),
    ),
    "vm-shielded": Case(
        MACHINE,
        {"shieldedInstanceConfig": _SHIELD},
        ({}, *({"shieldedInstanceConfig": _SHIELD | {part: False}} for part in _SHIELD)),
    ),
    "vm-no-project-keys": Case(
        MACHINE,
        {"metadata": {"block-project-ssh-keys": "TRUE"}},
        ({}, {"metadata": {"block-project-ssh-keys": "false"}}),
    ),
    "vm-os-login": Case(
        MACHINE, {"metadata": {"enable-oslogin": "TRUE"}}, ({"metadata": {}}, {"metadata": {"enable-oslogin": "FALSE"}})
    ),
    "vm-no-serial-port": Case(MACHINE, {"metadata": {}}, ({"metadata": {"serial-port-enable": "TRUE"}},)),
    "vm-no-forwarding": Case(MACHINE, {"canIpForward": False}, ({"canIpForward": True},)),
    "vm-own-service-account": Case(
        MACHINE,
        {"serviceAccount": {"email": "prod-batch@my-project.iam.gserviceaccount.com"}},
        ({}, {"serviceAccount": {"scopes": []}}, {"serviceAccount": {"email": _DEFAULT_EMAIL}}),
    ),
    "vm-no-full-scope": Case(
        MACHINE,
        {"serviceAccount": {"scopes": ["https://www.googleapis.com/auth/pubsub"]}},
        (
            {"serviceAccount": {"scopes": ["cloud-platform"]}},
            {"serviceAccount": {"scopes": ["pubsub", "https://www.googleapis.com/auth/cloud-platform"]}},
        ),
    ),
    "project-no-ssh-keys": Case(
        METADATA, {"metadata": {"enable-oslogin": "TRUE"}}, ({"metadata": {"ssh-keys": "me:ssh-ed25519 A"}},)
    ),
    "firewall-ssh-from-iap": Case(
        FIREWALL,
        _ssh(_IAP, ports=["22"]),
        (
            _ssh("0.0.0.0/0", ports=["22"]),
            _ssh(_IAP, "198.51.100.0/24", ports=["22"]),
            _ssh("198.51.100.0/24", ports=["20-80"]),
            _ssh("198.51.100.0/24"),
            _ssh("198.51.100.0/24", protocol="all"),
            _ssh(ports=["22"]),
        ),
    ),
    "firewall-closed": Case(
        FIREWALL, _ssh("10.0.0.0/8", ports=["9042"]), (_ssh("0.0.0.0/0", ports=["3306"]), _ssh("::/0", ports=["80"]))
    ),
    "network-own-subnets": Case(
        "gcp:compute/network:Network", {"autoCreateSubnetworks": False}, ({}, {"autoCreateSubnetworks": True})
    ),
    "subnet-flow-logs": Case(SUBNET, {"logConfig": {"flowSampling": 0.5}}, ({}, {"logConfig": {}})),
    "subnet-private-access": Case(SUBNET, {"privateIpGoogleAccess": True}, ({}, {"privateIpGoogleAccess": False})),
    "iam-not-public": Case(
        BUCKET_GRANT,
        {"role": "roles/storage.objectViewer", "member": _ACCOUNT},
        ({"member": "allUsers"}, {"members": [_ACCOUNT, "allAuthenticatedUsers"]}),
    ),
    "iam-no-basic-role": Case(
        PROJECT_GRANT,
        {"role": "roles/dataflow.worker"},
        ({"role": "roles/owner"}, {"role": "roles/editor"}, {"role": "roles/viewer"}),
    ),
    "iam-no-impersonation": Case(
        PROJECT_GRANT,
        {"role": "roles/dataflow.worker"},
        (
            {"role": "roles/iam.serviceAccountUser"},
            {"role": "roles/iam.workloadIdentityUser"},
            {"role": "roles/dataflow.serviceAgent"},
        ),
    ),
    "iam-no-token-creator": Case(
        ACCOUNT_GRANT,
        {"role": "roles/iam.serviceAccountUser", "member": _ACCOUNT},
        ({"role": "roles/iam.serviceAccountTokenCreator", "member": _ACCOUNT},),
    ),
    "iam-no-admin": Case(
        PROJECT_GRANT,
        {"role": "projects/my-project/roles/prod_deploy"},
        ({"role": "roles/storage.admin"}, {"role": "roles/compute.instanceAdmin.v1"}, {"role": "roles/pubsub.editor"}),
    ),
    "iam-no-default-account": Case(
        BUCKET_GRANT,
        {"member": _ACCOUNT},
        ({"member": f"serviceAccount:{_DEFAULT_EMAIL}"}, {"member": "serviceAccount:x@appspot.gserviceaccount.com"}),
    ),
    "iam-no-keys": Case("gcp:serviceaccount/key:Key", None, ({"serviceAccountId": "prod-publisher"},)),
    "iam-no-whole-policy": Case("gcp:projects/iAMPolicy:IAMPolicy", None, ({"policyData": "{}"},)),
    "federation-bound": Case(
        PROVIDER,
        {"oidc": _GITHUB, "attributeCondition": _CONDITION},
        (
            {"oidc": _GITHUB},
            {"oidc": {"issuerUri": "https://example.com"}, "attributeCondition": _CONDITION},
            {"oidc": _GITHUB, "attributeCondition": _CONDITION.replace("repo:me/shop:", "repo:*")},
            {"oidc": _GITHUB, "attributeCondition": _CONDITION.replace("repository_id", "repository")},
            {"oidc": _GITHUB, "attributeCondition": _CONDITION.replace("workflow_ref", "workflow")},
        ),
    ),
    "dataflow-private-workers": Case(
        JOB, {"ipConfiguration": "WORKER_IP_PRIVATE"}, ({}, {"ipConfiguration": "WORKER_IP_PUBLIC"})
    ),
    "dataflow-own-service-account": Case(JOB, {"serviceAccountEmail": "x@y"}, ({}, {"serviceAccountEmail": ""})),
    "dataflow-bounded": Case(
        "gcp:storage/bucketObject:BucketObject",
        _template({"maxWorkers": 4}),
        (_template({"numWorkers": 1}), _template({})),
    ),
    "dataproc-own-service-account": Case(BATCH, _spark(serviceAccount="x@y"), (_spark(), {})),
    "dataproc-private": Case(BATCH, _spark(subnetworkUri="dev"), (_spark(serviceAccount="x@y"), {})),
    "container-inside": Case(
        CONTAINER,
        {"ports": [{"internal": 3306, "external": 3306, "ip": "127.0.0.1"}]},
        (
            {"ports": [{"internal": 3306}]},
            {"ports": [{"internal": 3306, "ip": "0.0.0.0"}]},
            {"ports": [{"internal": 3306, "ip": "127.0.0.1"}, {"internal": 3307, "ip": "8.8.4.4"}]},
            {"ports": [{"internal": 3306, "ip": "8.8.8.8"}]},
            {"ports": [{"internal": 3306, "ip": "::"}]},
        ),
    ),
    "container-image-pinned": Case(CONTAINER, {"image": _DIGEST}, ({"image": "mysql:9"}, {"image": "mysql"})),
    "container-not-privileged": Case(CONTAINER, {"privileged": False}, ({"privileged": True},)),
    "container-not-on-host-network": Case(CONTAINER, {"networkMode": "bridge"}, ({"networkMode": "host"},)),
    "container-memory-limited": Case(CONTAINER, {"memory": 512, "memorySwap": 512}, ({}, {"memory": 512})),
    "container-watched": Case(
        CONTAINER,
        {"healthcheck": {"tests": ["CMD", "true"]}, "wait": True},
        ({"healthcheck": {"tests": ["CMD", "true"]}}, {"wait": True}, {}),
    ),
    "container-no-docker-socket": Case(
        CONTAINER,
        {"volumes": [{"hostPath": "/mnt/disks/data/mysql", "containerPath": "/var/lib/mysql"}]},
        (
            {"volumes": [{"hostPath": "/var/run/docker.sock", "containerPath": "/docker.sock"}]},
            {"mounts": [{"source": "/run/docker.sock", "target": "/docker.sock", "type": "bind"}]},
        ),
    ),
    "labels": Case(BUCKET, {"labels": _PROD}, ({}, {"labels": {"environment": "prod", "managed-by": "pulumi"}})),
    "user-labels": Case(ALERT, {"userLabels": _PROD}, ({}, {"userLabels": {"environment": "prod"}})),
    "protected-tables": Case(
        TABLE,
        {"labels": _PROD, "deletionProtection": True},
        ({"labels": _PROD, "deletionProtection": False}, {"labels": _PROD}),
    ),
    "protected-disks": Case(
        "gcp:compute/disk:Disk",
        {"labels": _PROD, "options": {"protect": True}},
        ({"labels": _PROD, "options": {"protect": False}},),
    ),
    "protected-buckets": Case(BUCKET, {"labels": _PROD}, ({"labels": _PROD, "forceDestroy": True},)),
    "protected-datasets": Case(DATASET, {"labels": _PROD}, ({"labels": _PROD, "deleteContentsOnDestroy": True},)),
    "protected-jobs": Case(
        JOB, {"labels": _PROD, "onDelete": "drain"}, ({"labels": _PROD}, {"labels": _PROD, "onDelete": "cancel"})
    ),
}
