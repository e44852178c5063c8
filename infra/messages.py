"""Pub/Sub: the topic of events, the pipeline's subscription, and where messages go that nobody can take."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects, pubsub

from infra.place import Place
from infra.settings.messages import MessageSettings

_DAY_SECONDS: Final = 86_400
_DEAD_LETTER_DAYS: Final = 31


@dataclass(frozen=True)
class MessagesArgs:
    """Where the topic is, how long it keeps messages, and the key that encrypts them."""

    place: Place
    settings: MessageSettings
    key: pulumi.Input[str] | None


class Messages(pulumi.ComponentResource):
    """The topic, its subscription and their dead letters."""

    topic: pulumi.Output[str]
    """Name of the topic of events."""
    topic_path: pulumi.Output[str]
    """projects/P/topics/T"""
    subscription: pulumi.Output[str]
    """Name of the subscription that the pipeline reads."""
    subscription_path: pulumi.Output[str]
    """projects/P/subscriptions/S"""
    dead_letter_topic: pulumi.Output[str]
    dead_letter_subscription: pulumi.Output[str]
    """Name of the subscription that keeps dead letters until somebody looks at them."""

    def __init__(self, name: str, args: MessagesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Messages", name, None, opts)
        self._args = args
        topic_name = args.place.name(args.settings.topic)
        topic = self._topic(topic_name, args.settings.retention_days)
        dead_letters = self._topic(f"{topic_name}-dead-letters", None)
        kept = self._subscription(f"{topic_name}-dead-letters", dead_letters, days=_DEAD_LETTER_DAYS)
        read = self._subscription(
            f"{topic_name}-pipeline",
            topic,
            days=args.settings.retention_days,
            dead_letters=pubsub.SubscriptionDeadLetterPolicyArgs(
                dead_letter_topic=dead_letters.id, max_delivery_attempts=args.settings.delivery_attempts
            ),
        )
        self._let_pubsub_move_dead_letters(name, read, dead_letters)
        self.topic, self.topic_path = topic.name, topic.id
        self.subscription, self.subscription_path = read.name, read.id
        self.dead_letter_topic, self.dead_letter_subscription = dead_letters.name, kept.name
        self.register_outputs(
            {
                "topic": self.topic,
                "subscription": self.subscription,
                "dead_letter_topic": self.dead_letter_topic,
                "dead_letter_subscription": self.dead_letter_subscription,
            }
        )

    def _topic(self, name: str, retention_days: int | None) -> pubsub.Topic:
        place = self._args.place
        return pubsub.Topic(
            name,
            name=name,
            project=place.project,
            # A new subscription, too, can be set back by this time.
            message_retention_duration=f"{retention_days * _DAY_SECONDS}s" if retention_days else None,
            message_storage_policy=pubsub.TopicMessageStoragePolicyArgs(allowed_persistence_regions=[place.region]),
            kms_key_name=self._args.key,
            labels=place.labels("messages"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _subscription(
        self,
        name: str,
        topic: pubsub.Topic,
        *,
        days: int,
        dead_letters: pubsub.SubscriptionDeadLetterPolicyArgs | None = None,
    ) -> pubsub.Subscription:
        args = self._args
        return pubsub.Subscription(
            name,
            name=name,
            project=args.place.project,
            topic=topic.id,
            ack_deadline_seconds=args.settings.ack_deadline_seconds,
            message_retention_duration=f"{days * _DAY_SECONDS}s",
            retain_acked_messages=False,
            # Events are told apart by their ids, so delivery may repeat them, and is cheaper and faster for it.
            enable_exactly_once_delivery=False,
            enable_message_ordering=False,
            expiration_policy=pubsub.SubscriptionExpirationPolicyArgs(ttl=""),
            retry_policy=pubsub.SubscriptionRetryPolicyArgs(minimum_backoff="10s", maximum_backoff="600s"),
            dead_letter_policy=dead_letters,
            labels=args.place.labels("messages"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _let_pubsub_move_dead_letters(self, name: str, read: pubsub.Subscription, dead_letters: pubsub.Topic) -> None:
        child, project = pulumi.ResourceOptions(parent=self), self._args.place.project
        agent = projects.ServiceIdentity(f"{name}-agent", project=project, service="pubsub.googleapis.com", opts=child)
        pubsub.TopicIAMMember(
            f"{name}-agent-publishes-dead-letters",
            project=project,
            topic=dead_letters.name,
            role="roles/pubsub.publisher",
            member=agent.member,
            opts=child,
        )
        pubsub.SubscriptionIAMMember(
            f"{name}-agent-acknowledges-dead-letters",
            project=project,
            subscription=read.name,
            role="roles/pubsub.subscriber",
            member=agent.member,
            opts=child,
        )
