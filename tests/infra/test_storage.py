"""Buckets are private, and what was deleted in them is kept for a while."""

import pytest

from tests.infra.environments import KEY, environment

ROLES = ("events", "archive", "staging", "checkpoints")


@pytest.mark.parametrize("stack", ["dev", "prod"])
@pytest.mark.parametrize("role", ROLES)
def test_a_bucket_is_private_and_restores_what_was_deleted(stack: str, role: str) -> None:
    bucket = environment(stack).one("gcp:storage/bucket:Bucket", f"{stack}-{role}").inputs
    assert bucket["name"] == f"demo-project-{stack}-{role}"
    assert bucket["location"] == "EUROPE-WEST1"
    assert bucket["uniformBucketLevelAccess"] is True
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["softDeletePolicy"]["retentionDurationSeconds"] >= 7 * 86_400
    assert {"type": "AbortIncompleteMultipartUpload"} in [rule["action"] for rule in bucket["lifecycleRules"]]
    assert "encryption" not in bucket


@pytest.mark.parametrize(("stack", "removed"), [("dev", True), ("prod", False)])
def test_objects_go_with_their_bucket_unless_they_are_protected(stack: str, removed: bool) -> None:
    buckets = environment(stack).all("gcp:storage/bucket:Bucket")
    assert len(buckets) == len(ROLES)
    assert all(bucket.inputs["forceDestroy"] is removed for bucket in buckets)


@pytest.mark.parametrize("role", ["events", "archive"])
def test_older_versions_of_what_cannot_be_made_again_are_kept(role: str) -> None:
    bucket = environment("dev").one("gcp:storage/bucket:Bucket", f"dev-{role}").inputs
    assert bucket["versioning"] == {"enabled": True}
    forgotten = [rule["condition"] for rule in bucket["lifecycleRules"] if rule["action"] == {"type": "Delete"}]
    assert {"numNewerVersions": 3, "withState": "ARCHIVED"} in forgotten
    assert {"daysSinceNoncurrentTime": 30, "withState": "ARCHIVED"} in forgotten


def test_the_archive_moves_to_cheaper_storage_and_is_deleted_by_setting_only() -> None:
    def rules(**storage: int) -> list[tuple[str, int]]:
        declared = environment("dev", storage=storage) if storage else environment("dev")
        bucket = declared.one("gcp:storage/bucket:Bucket", "dev-archive").inputs
        aged = [rule for rule in bucket["lifecycleRules"] if "age" in rule["condition"]]
        return [(rule["action"]["type"], rule["condition"]["age"]) for rule in aged]

    unfinished = ("AbortIncompleteMultipartUpload", 7)
    assert rules() == [("SetStorageClass", 30), unfinished]
    assert rules(archiveColdDays=10, archiveDays=400) == [("SetStorageClass", 10), ("Delete", 400), unfinished]


def test_only_temporary_files_of_the_staging_bucket_are_deleted_by_age() -> None:
    bucket = environment("dev").one("gcp:storage/bucket:Bucket", "dev-staging").inputs
    deleting = [rule for rule in bucket["lifecycleRules"] if rule["action"]["type"] == "Delete"]
    assert [rule["condition"]["matchesPrefixes"] for rule in deleting] == [["temp/"]]
    template = environment("dev").one("gcp:storage/bucketObject:BucketObject").inputs
    assert '"tempLocation": "gs://demo-project-dev-staging/temp"' in template["content"]


def test_buckets_are_named_by_the_given_prefix_in_the_given_location() -> None:
    declared = environment("dev", storage={"bucketPrefix": "shop", "location": "EU"})
    bucket = declared.one("gcp:storage/bucket:Bucket", "dev-events").inputs
    assert (bucket["name"], bucket["location"]) == ("shop-dev-events", "EU")


def test_a_key_of_ones_own_encrypts_the_buckets() -> None:
    for bucket in environment("dev", security={"kmsKey": KEY}).all("gcp:storage/bucket:Bucket"):
        assert bucket.inputs["encryption"] == {"defaultKmsKeyName": KEY}
