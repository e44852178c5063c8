"""Both Pub/Sub emulators do through Google's own client what the real service does."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import AlreadyExists, DeadlineExceeded, InvalidArgument, NotFound
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message
from google.pubsub_v1 import PublisherClient as PlainPublisherClient
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from app.gcp.clients import publisher_client, subscriber_client
from app.local.process import ServerError
from app.local.pubsub import PubsubEmulator, google_emulator_jar, pubsub_emulator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["google", "packaged"])
def emulator(request: pytest.FixtureRequest) -> Iterator[PubsubEmulator]:
    if request.param == "google" and not google_emulator_jar():
        pytest.skip("unavoidable: Google's emulator is not on this machine")
    with pubsub_emulator(request.param) as running:
        yield running


class Channel:
    """A topic with one subscription, and clients to both."""

    def __init__(self, emulator: PubsubEmulator, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable, value in emulator.environment.items():
            monkeypatch.setenv(variable, value)
        self.topic = emulator.create_topic(name)
        self.subscription = emulator.create_subscription(name, name, ack_deadline_seconds=10)
        self.publisher: PublisherClient = publisher_client()
        self.subscriber: SubscriberClient = subscriber_client()

    def publish(self, *data: bytes, topic: str | None = None, **attributes: str) -> None:
        """One request with all messages, past the batching of the client."""
        messages = [PubsubMessage(data=one, attributes=attributes) for one in data]
        PlainPublisherClient.publish(self.publisher, topic=topic or self.topic, messages=messages)

    def pull(self, limit: int = 100, seconds: float = 1) -> list[ReceivedMessage]:
        try:
            answer = self.subscriber.pull(
                subscription=self.subscription, max_messages=limit, timeout=seconds, retry=None
            )
        except DeadlineExceeded:
            return []
        return list(answer.received_messages)

    def pull_until(self, count: int, seconds: float = 20) -> list[ReceivedMessage]:
        until = time.monotonic() + seconds
        found: list[ReceivedMessage] = []
        while len(found) < count and time.monotonic() < until:
            found += self.pull(count - len(found))
        return found

    def acknowledge(self, messages: list[ReceivedMessage]) -> None:
        self.subscriber.acknowledge(subscription=self.subscription, ack_ids=[one.ack_id for one in messages])

    def set_deadline(self, messages: list[ReceivedMessage], seconds: int) -> None:
        self.subscriber.modify_ack_deadline(
            subscription=self.subscription,
            ack_ids=[one.ack_id for one in messages],
            ack_deadline_seconds=seconds,
        )


@pytest.fixture
def channel(
    emulator: PubsubEmulator, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Channel]:
    name = "t-" + request.node.originalname
    made = Channel(emulator, name, monkeypatch)
    yield made
    made.publisher.transport.close()
    made.subscriber.close()


def test_a_message_comes_with_its_data_and_attributes_and_is_gone_once_acknowledged(channel: Channel) -> None:
    channel.publish(b"row 1\nrow 2", source="events.csv", first_row="1")
    (received,) = channel.pull_until(1)
    assert received.message.data == b"row 1\nrow 2"
    assert dict(received.message.attributes) == {"source": "events.csv", "first_row": "1"}
    assert received.message.message_id
    assert abs(received.message.publish_time.timestamp() - time.time()) < 60
    channel.acknowledge([received])
    channel.set_deadline([received], 0)
    assert channel.pull() == []


def test_messages_come_in_the_order_in_which_they_were_published(channel: Channel) -> None:
    wanted = [str(number).encode() for number in range(300)]
    channel.publish(*wanted)
    assert [one.message.data for one in channel.pull_until(300)] == wanted


def test_a_message_that_is_not_acknowledged_before_its_deadline_comes_again(channel: Channel) -> None:
    channel.publish(b"lost by a killed consumer", b"kept")
    first = channel.pull_until(2)
    channel.acknowledge([one for one in first if one.message.data == b"kept"])
    channel.set_deadline([one for one in first if one.message.data != b"kept"], 2)
    assert channel.pull() == []
    started = time.monotonic()
    (again,) = channel.pull_until(1)
    assert again.message.data == b"lost by a killed consumer"
    assert time.monotonic() - started < 8
    channel.acknowledge([again])


def test_the_deadline_of_the_subscription_holds_without_any_call(channel: Channel) -> None:
    channel.publish(b"pulled and forgotten")
    assert len(channel.pull_until(1)) == 1
    started = time.monotonic()
    (again,) = channel.pull_until(1, seconds=30)
    assert 5 < time.monotonic() - started < 25
    channel.acknowledge([again])


def test_a_message_given_back_comes_again_at_once(channel: Channel) -> None:
    channel.publish(b"not mine")
    channel.set_deadline(channel.pull_until(1), 0)
    (again,) = channel.pull_until(1, seconds=5)
    assert again.message.data == b"not mine"


def test_a_publish_request_of_9_mb_goes_through_and_comes_back_whole(channel: Channel) -> None:
    data = [os.urandom(1_000_000) for _ in range(9)]
    channel.publish(*data)
    assert [one.message.data for one in channel.pull_until(9)] == data


def test_a_pull_waits_for_a_message_that_is_published_later(channel: Channel) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(channel.pull, 10, 15)
        time.sleep(1)
        assert not waiting.done()
        channel.publish(b"late")
        assert [one.message.data for one in waiting.result(timeout=15)] == [b"late"]


def test_a_streaming_pull_delivers_everything_once_it_is_acknowledged(channel: Channel) -> None:
    wanted = {str(number).encode() for number in range(2_000)}
    channel.publish(*sorted(wanted)[:1_000])
    channel.publish(*sorted(wanted)[1_000:])
    seen: set[bytes] = set()
    done = threading.Event()

    def take(message: Message) -> None:
        seen.add(message.data)
        message.ack()
        if len(seen) == len(wanted):
            done.set()

    stream = channel.subscriber.subscribe(channel.subscription, take)
    assert done.wait(30)
    stream.cancel()
    stream.result(timeout=30)
    assert seen == wanted
    assert channel.pull() == []


def test_every_subscription_of_a_topic_gets_every_message(channel: Channel, emulator: PubsubEmulator) -> None:
    second = emulator.create_subscription("t-second-of-many", channel.topic)
    channel.publish(b"for both")
    assert [one.message.data for one in channel.pull_until(1)] == [b"for both"]
    answer = channel.subscriber.pull(subscription=second, max_messages=1, timeout=10)
    assert [one.message.data for one in answer.received_messages] == [b"for both"]


def test_wrong_requests_get_the_errors_of_the_real_service(channel: Channel, emulator: PubsubEmulator) -> None:
    wrong: list[tuple[type[Exception], Callable[[], object]]] = [
        (AlreadyExists, lambda: emulator.create_topic(channel.topic.rsplit("/", 1)[1])),
        (NotFound, lambda: emulator.create_subscription("t-orphan", "t-no-such-topic")),
        (InvalidArgument, lambda: emulator.create_topic("x")),
        (NotFound, lambda: channel.publish(b"x", topic=channel.topic + "x")),
        (NotFound, lambda: channel.subscriber.pull(subscription=channel.subscription + "x", max_messages=1, timeout=5)),
    ]
    for error, call in wrong:
        with pytest.raises(error):
            call()


def test_two_emulators_run_side_by_side_and_share_nothing() -> None:
    with pubsub_emulator("packaged") as one, pubsub_emulator("packaged") as other:
        assert one.host != other.host
        one.create_topic("same-name")
        other.create_topic("same-name")
        with pytest.raises(NotFound):
            other.create_subscription("sss", "only-in-one")
    assert not one.server.is_running
    assert not other.server.is_running
    assert not one.server.log.parent.exists()


def test_googles_emulator_is_refused_with_advice_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.local.pubsub.google_emulator_jar", lambda: None)
    with pytest.raises(ServerError, match="gcloud components install"), pubsub_emulator("google"):
        pass
    with pubsub_emulator() as emulator:
        assert emulator.kind == "packaged"
