"""Rules for Dataflow and Dataproc jobs."""

from typing import Final

from infra.policy.rule import Rule, must_be, must_have

_DATAFLOW: Final = ("gcp:dataflow/flexTemplateJob:FlexTemplateJob", "gcp:dataflow/job:Job")
_BATCH: Final = ("gcp:dataproc/batch:Batch",)

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
        "A Dataflow job has a most number of workers, and so a highest cost.",
        _DATAFLOW,
        must_have("maxWorkers"),
        "Set max_workers.",
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
