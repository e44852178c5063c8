"""Rules for buckets."""

from collections.abc import Iterator
from typing import Final

from infra.policy.rule import UNKNOWN, Inputs, Rule, must_be, never, values

_BUCKET: Final = ("gcp:storage/bucket:Bucket",)


def _is_recoverable(inputs: Inputs) -> Iterator[str]:
    versioned = any(value in (True, UNKNOWN) for value in values(inputs, "versioning.enabled"))
    kept = any(value not in (0, "0") for value in values(inputs, "softDeletePolicy.retentionDurationSeconds"))
    if not versioned and not kept:
        yield "keeps neither old versions nor deleted objects"


RULES: Final = (
    Rule(
        "bucket-uniform-access",
        "Access to a bucket is given on the bucket alone, not object by object.",
        _BUCKET,
        must_be("uniformBucketLevelAccess", True),
        "Set uniform_bucket_level_access=True.",
        ("CIS GCP 5.2", "CKV_GCP_29"),
    ),
    Rule(
        "bucket-public-access-prevented",
        "Nobody can make a bucket public.",
        _BUCKET,
        must_be("publicAccessPrevention", "enforced"),
        'Set public_access_prevention="enforced".',
        ("CIS GCP 5.1", "CKV_GCP_114"),
    ),
    Rule(
        "bucket-recoverable",
        "What is deleted or overwritten in a bucket can be got back for a time.",
        _BUCKET,
        _is_recoverable,
        "Set versioning, or soft_delete_policy with a time.",
        ("CKV_GCP_78",),
    ),
    Rule(
        "bucket-no-access-lists",
        "No access lists, which give access beside IAM.",
        (
            "gcp:storage/bucketACL:BucketACL",
            "gcp:storage/bucketAccessControl:BucketAccessControl",
            "gcp:storage/defaultObject*:DefaultObject*",
            "gcp:storage/object*:Object*",
        ),
        never("is an access list"),
        "Give a role on the bucket with BucketIAMMember.",
        ("CIS GCP 5.2",),
    ),
)
