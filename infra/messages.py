"""Pub/Sub: the topic of events and the pipeline's subscription.

There is no dead-letter topic: Dataflow does not support them (its page "Read from Pub/Sub", "Handle message failures"),
and would move away messages that are only slow. What is no event the pipeline itself stores, with its reason.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import pubsub

from infra.place import Place
from infra.settings.messages import MessageSettings

_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class MessagesArgs:
    """Where the topic is, how long it keeps messages, and the key that encrypts them."""

    place: Place
    settings: MessageSettings
    key: pulumi.Input[str] | None


class Messages(pulumi.ComponentResource):
    """The topic and its subscription."""

    topic: pulumi.Output[str]
    """Name of the topic of events."""
    topic_path: pulumi.Output[str]
    """projects/P/topics/T"""
    subscription: pulumi.Output[str]
    """Name of the subscription that the pipeline reads."""
    subscription_path: pulumi.Output[str]
    """projects/P/subscriptions/S"""

    def __init__(self, name: str, args: MessagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Messages", name, None, opts)
        self._args = args
        topic_name = args.place.name(args.settings.topic)
        topic = self._topic(topic_name)
        read = self._subscription(f"{topic_name}-pipeline", topic)
        self.topic, self.topic_path = topic.name, topic.id
        self.subscription, self.subscription_path = read.name, read.id
        self.register_outputs({"topic": self.topic, "subscription": self.subscription})

    def _topic(self, name: str) -> pubsub.Topic:
        place = self._args.place
        return pubsub.Topic(
            name,
            name=name,
            project=place.project,
            # A new subscription, too, can be set back by this time.
            message_retention_duration=self._retention(),
            message_storage_policy=pubsub.TopicMessageStoragePolicyArgs(allowed_persistence_regions=[place.region]),
            kms_key_name=self._args.key,
            labels=place.labels("messages"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _subscription(self, name: str, topic: pubsub.Topic) -> pubsub.Subscription:
        args = self._args
        return pubsub.Subscription(
            name,
            name=name,
            project=args.place.project,
            topic=topic.id,
            ack_deadline_seconds=args.settings.ack_deadline_seconds,
            message_retention_duration=self._retention(),
            retain_acked_messages=False,
            # Events are told apart by their ids, so delivery may repeat them, and is cheaper and faster for it.
            enable_exactly_once_delivery=False,
            enable_message_ordering=False,
            expiration_policy=pubsub.SubscriptionExpirationPolicyArgs(ttl=""),
            retry_policy=pubsub.SubscriptionRetryPolicyArgs(minimum_backoff="10s", maximum_backoff="600s"),
            labels=args.place.labels("messages"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _retention(self) -> str:
        return f"{self._args.settings.retention_days * _DAY_SECONDS}s"
