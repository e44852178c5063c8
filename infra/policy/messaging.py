"""Rules for Pub/Sub, where a message that expires is an event that is lost."""

from collections.abc import Iterator
from typing import Final

from infra.policy.rule import UNKNOWN, Inputs, Rule, must_be, must_have, values

_SUBSCRIPTION: Final = ("gcp:pubsub/subscription:Subscription",)
_LEAST_SECONDS: Final = 86_400


def _is_kept_a_day(inputs: Inputs) -> Iterator[str]:
    for value in values(inputs, "messageRetentionDuration"):
        if value is not UNKNOWN and float(str(value).removesuffix("s")) < _LEAST_SECONDS:
            yield f"keeps messages for {value} only"


RULES: Final = (
    Rule(
        "subscription-never-expires",
        "A subscription that nobody reads for a month is not deleted with all its messages.",
        _SUBSCRIPTION,
        must_be("expirationPolicy.ttl", ""),
        'Set expiration_policy with ttl="".',
    ),
    Rule(
        "subscription-retention",
        "A subscription keeps messages for a day at least, so that a pipeline can be mended.",
        _SUBSCRIPTION,
        _is_kept_a_day,
        "Set message_retention_duration to 86400s or more.",
    ),
    Rule(
        "topic-region",
        "Messages are stored in named regions only.",
        ("gcp:pubsub/topic:Topic",),
        must_have("messageStoragePolicy.allowedPersistenceRegions"),
        "Set message_storage_policy with allowed_persistence_regions.",
    ),
)
