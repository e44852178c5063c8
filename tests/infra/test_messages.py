"""Messages are kept long enough to read them again, and none is lost that nobody could take."""

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


def test_dead_letters_go_to_a_topic_that_somebody_keeps() -> None:
    declared = environment("prod")
    policy = declared.one(SUBSCRIPTION, "prod-events-pipeline").inputs["deadLetterPolicy"]
    assert policy == {
        "deadLetterTopic": "projects/demo-project/topics/prod-events-dead-letters",
        "maxDeliveryAttempts": 100,
    }
    kept = declared.one(SUBSCRIPTION, "prod-events-dead-letters").inputs
    assert kept["topic"] == policy["deadLetterTopic"]
    assert kept["expirationPolicy"] == {"ttl": ""}
    assert "deadLetterPolicy" not in kept


def test_pubsub_itself_may_move_dead_letters_and_no_more() -> None:
    declared = environment("prod")
    agent = "serviceAccount:service-123456789@gcp-sa-pubsub.iam.gserviceaccount.com"
    grants = [one for one in declared.resources if one.inputs.get("member") == agent]
    assert {(one.inputs.get("topic") or one.inputs.get("subscription"), one.inputs["role"]) for one in grants} == {
        ("prod-events-dead-letters", "roles/pubsub.publisher"),
        ("prod-events-pipeline", "roles/pubsub.subscriber"),
    }


def test_times_and_attempts_are_settings() -> None:
    given = {"topic": "clicks", "retentionDays": 3, "ackDeadlineSeconds": 30, "deliveryAttempts": 5}
    declared = environment("dev", messages=given)
    subscription = declared.one(SUBSCRIPTION, "dev-clicks-pipeline").inputs
    assert subscription["messageRetentionDuration"] == f"{3 * 86_400}s"
    assert subscription["ackDeadlineSeconds"] == 30
    assert subscription["deadLetterPolicy"]["maxDeliveryAttempts"] == 5
