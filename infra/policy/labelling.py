"""Rules for labels, by which costs are counted and owners found."""

from collections.abc import Iterator
from typing import Final

from infra.policy.rule import Check, Inputs, Rule, values

LABELS: Final = ("environment", "component", "managed-by")
"""Labels that every resource carries that can."""

LABELLED: Final = (
    "gcp:artifactregistry/repository:Repository",
    "gcp:bigquery/dataset:Dataset",
    "gcp:bigquery/table:Table",
    "gcp:compute/address:Address",
    "gcp:compute/disk:Disk",
    "gcp:compute/image:Image",
    "gcp:compute/instance:Instance",
    "gcp:compute/instanceTemplate:InstanceTemplate",
    "gcp:compute/regionDisk:RegionDisk",
    "gcp:compute/snapshot:Snapshot",
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob",
    "gcp:dataflow/job:Job",
    "gcp:dataproc/batch:Batch",
    "gcp:kms/cryptoKey:CryptoKey",
    "gcp:pubsub/subscription:Subscription",
    "gcp:pubsub/topic:Topic",
    "gcp:secretmanager/secret:Secret",
    "gcp:storage/bucket:Bucket",
    "gcp:workflows/workflow:Workflow",
)
"""Types that take labels."""

USER_LABELLED: Final = (
    "gcp:monitoring/alertPolicy:AlertPolicy",
    "gcp:monitoring/notificationChannel:NotificationChannel",
)
"""Types whose labels for users have a name of their own."""


def _has_labels(key: str) -> Check:
    def check(inputs: Inputs) -> Iterator[str]:
        return (f"has no label {label}" for label in LABELS if not any(values(inputs, f"{key}.{label}")))

    return check


RULES: Final = (
    Rule(
        "labels",
        "What takes labels says its environment, its component and what manages it.",
        LABELLED,
        _has_labels("labels"),
        "Set labels=labels(environment, component) of infra/labels.py.",
    ),
    Rule(
        "user-labels",
        "Alerts say their environment, their component and what manages them.",
        USER_LABELLED,
        _has_labels("userLabels"),
        "Set user_labels=labels(environment, component) of infra/labels.py.",
    ),
)
