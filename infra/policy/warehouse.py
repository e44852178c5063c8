"""Rules for BigQuery."""

from collections.abc import Iterator
from typing import Final

from infra.policy.rule import Inputs, Rule, texts, values

_PUBLIC: Final = ("allUsers", "allAuthenticatedUsers")
_PATHS: Final = ("specialGroup", "iamMember", "accesses[].specialGroup", "accesses[].iamMember")


def _is_private(inputs: Inputs) -> Iterator[str]:
    for path in _PATHS:
        yield from (f"lets in {text}" for text in texts(inputs, path) if text in _PUBLIC)


def _has_partition_filter(inputs: Inputs) -> Iterator[str]:
    partitioned = any(values(inputs, "timePartitioning")) or any(values(inputs, "rangePartitioning"))
    if partitioned and not any(values(inputs, "requirePartitionFilter")):
        yield "is partitioned and lets a query read all partitions"


RULES: Final = (
    Rule(
        "dataset-not-public",
        "A dataset is not open to everybody.",
        ("gcp:bigquery/dataset:Dataset", "gcp:bigquery/datasetAccess:DatasetAccess"),
        _is_private,
        "Name the accounts or the group that may read.",
        ("CIS GCP 7.1", "CKV_GCP_15"),
    ),
    Rule(
        "table-partition-filter",
        "A query of a partitioned table must say which days it reads, as it is paid by what it reads.",
        ("gcp:bigquery/table:Table",),
        _has_partition_filter,
        "Set require_partition_filter=True.",
    ),
)
