"""Rules for Dataflow and Dataproc jobs."""

import json
from collections.abc import Iterator
from typing import Final

from infra.policy.rule import Inputs, Rule, must_be, must_have, texts

_DATAFLOW: Final = ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", "gcp:dataflow/job:Job")
_BATCH: Final = ("gcp:dataproc/batch:Batch",)

_OBJECT: Final = ("gcp:storage/bucketObject:BucketObject",)


def _is_bounded(inputs: Inputs) -> Iterator[str]:
    """A Flex Template is told by its `sdkInfo`; other objects have no workers."""
    for content in texts(inputs, "content"):
        try:
            template = json.loads(content)
        except ValueError:
            continue
        if isinstance(template, dict) and "sdkInfo" in template:
            yield from must_have("defaultEnvironment.maxWorkers")(template)


RULES: Final = (
    Rule(
        "dataflow-private-workers",
        "Dataflow's workers have no addresses on the internet.",
        _DATAFLOW,
        must_be("ipConfiguration", "WORKER_IP_PRIVATE"),
        'Set ip_configuration="WORKER_IP_PRIVATE".',
        ("CKV_GCP_94",),
    ),
    Rule(
        "dataflow-own-service-account",
        "A Dataflow job runs as a service account of its own.",
        _DATAFLOW,
        must_have("serviceAccountEmail"),
        "Set service_account_email.",
        ("CIS GCP 4.1",),
    ),
    Rule(
        "dataflow-bounded",
        "A Dataflow job has a most number of workers, and so a highest cost; its Flex Template says it.",
        _OBJECT,
        _is_bounded,
        "Set maxWorkers in the template's defaultEnvironment.",
    ),
    Rule(
        "dataproc-own-service-account",
        "A Dataproc job runs as a service account of its own.",
        _BATCH,
        must_have("environmentConfig.executionConfig.serviceAccount"),
        "Set service_account in execution_config.",
        ("CIS GCP 4.1",),
    ),
    Rule(
        "dataproc-private",
        "A Dataproc job runs in a network of ours.",
        _BATCH,
        must_have("environmentConfig.executionConfig.subnetworkUri"),
        "Set subnetwork_uri in execution_config.",
        ("CKV_GCP_103",),
    ),
)
