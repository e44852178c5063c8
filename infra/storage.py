"""Buckets: event files to be replayed, the archive of raw rows, what Dataflow works with, and checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import storage

from infra.place import Place
from infra.settings.security import SecuritySettings
from infra.settings.storage import StorageSettings

_DAY_SECONDS: Final = 86_400
_KEPT_VERSIONS: Final = 3
_KEPT_DAYS: Final = 30
_TEMPORARY_DAYS: Final = 14

Rule = storage.BucketLifecycleRuleArgs
Condition = storage.BucketLifecycleRuleConditionArgs
Action = storage.BucketLifecycleRuleActionArgs


@dataclass(frozen=True)
class StorageArgs:
    """Where the buckets are, how long they keep objects, and the key that encrypts them."""

    place: Place
    settings: StorageSettings
    security: SecuritySettings
    key: pulumi.Input[str] | None


class Storage(pulumi.ComponentResource):
    """The buckets of an environment: private, with one way to give access; what was deleted is kept for a while."""

    events: pulumi.Output[str]
    """Name of the bucket of event files."""
    archive: pulumi.Output[str]
    """Name of the bucket that the pipeline archives raw rows in."""
    staging: pulumi.Output[str]
    """Name of the bucket of templates and of Dataflow's own files."""
    checkpoints: pulumi.Output[str]
    """Name of the bucket that says how far replays are."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Storage", name, None, opts)
        self._args = args
        self.events = self._bucket("events", _old_versions(), versions=True)
        self.archive = self._bucket("archive", [*_archived(args.settings), *_old_versions()], versions=True)
        self.staging = self._bucket("staging", [_deleted(_TEMPORARY_DAYS, "temp/")])
        self.checkpoints = self._bucket("checkpoints", [])
        self.register_outputs(
            {
                "events": self.events,
                "archive": self.archive,
                "staging": self.staging,
                "checkpoints": self.checkpoints,
            }
        )

    def _bucket(self, role: str, rules: Sequence[Rule], *, versions: bool = False) -> pulumi.Output[str]:
        args, place = self._args, self._args.place
        bucket = storage.Bucket(
            place.name(role),
            name=f"{args.settings.bucket_prefix or place.project}-{place.name(role)}",
            project=place.project,
            location=(args.settings.location or place.region).upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            force_destroy=not args.security.deletion_protection,
            versioning=storage.BucketVersioningArgs(enabled=True) if versions else None,
            soft_delete_policy=storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=args.settings.soft_delete_days * _DAY_SECONDS
            ),
            lifecycle_rules=[*rules, _unfinished()],
            encryption=storage.BucketEncryptionArgs(default_kms_key_name=args.key) if args.key else None,
            labels=place.labels("storage"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return bucket.name


def _old_versions() -> list[Rule]:
    """What was deleted has no newer versions, so that only its age can end it."""
    return [
        Rule(action=Action(type="Delete"), condition=condition)
        for condition in (
            Condition(num_newer_versions=_KEPT_VERSIONS, with_state="ARCHIVED"),
            Condition(days_since_noncurrent_time=_KEPT_DAYS, with_state="ARCHIVED"),
        )
    ]


def _archived(settings: StorageSettings) -> list[Rule]:
    cold = Rule(
        action=Action(type="SetStorageClass", storage_class="COLDLINE"),
        condition=Condition(age=settings.archive_cold_days, matches_storage_classes=["STANDARD"]),
    )
    return [cold, _deleted(settings.archive_days)] if settings.archive_days else [cold]


def _deleted(days: int, prefix: str | None = None) -> Rule:
    return Rule(
        action=Action(type="Delete"), condition=Condition(age=days, matches_prefixes=[prefix] if prefix else None)
    )


def _unfinished() -> Rule:
    """Parts of uploads that were never finished are paid for, and nobody sees them."""
    return Rule(action=Action(type="AbortIncompleteMultipartUpload"), condition=Condition(age=7))
