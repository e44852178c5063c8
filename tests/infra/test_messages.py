"""Messages are kept long enough to read them again, and none is moved away."""

from tests.infra.environments import environment

TOPIC, SUBSCRIPTION = "gcp:pubsub/topic:Topic", "gcp:pubsub/subscription:Subscription"


def test_the_topic_keeps_messages_in_the_region() -> None:
    topic = environment("prod").one(TOPIC, "prod-events").inputs
    assert topic["messageRetentionDuration"] == f"{7 * 86_400}s"
    assert topic["messageStoragePolicy"] == {"allowedPersistenceRegions": ["europe-west1"]}


def test_the_pipelines_subscription_never_expires_and_may_repeat_messages() -> None:
    subscription = environment("prod").one(SUBSCRIPTION, "prod-events-pipeline").inputs
    assert subscription["topic"] == "projects/demo-project/topics/prod-events"
    assert subscription["expirationPolicy"] == {"ttl": ""}
    assert subscription["messageRetentionDuration"] == f"{7 * 86_400}s"
    assert subscription["enableExactlyOnceDelivery"] is False
    assert subscription["ackDeadlineSeconds"] == 60


def test_no_message_is_moved_away_from_dataflow_which_does_not_support_dead_letter_topics() -> None:
    declared = environment("prod")
    assert [one.name for one in declared.all(TOPIC)] == ["prod-events"]
    assert [one.name for one in declared.all(SUBSCRIPTION)] == ["prod-events-pipeline"]
    assert "deadLetterPolicy" not in declared.one(SUBSCRIPTION, "prod-events-pipeline").inputs


def test_times_are_settings() -> None:
    given = {"topic": "clicks", "retentionDays": 3, "ackDeadlineSeconds": 30}
    declared = environment("dev", messages=given)
    subscription = declared.one(SUBSCRIPTION, "dev-clicks-pipeline").inputs
    assert subscription["messageRetentionDuration"] == f"{3 * 86_400}s"
    assert subscription["ackDeadlineSeconds"] == 30
