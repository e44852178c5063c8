"""What the packaged Pub/Sub server keeps, without a server."""

import time

import pytest
from drongo.services.pubsub.models import Message

from app.local.pubsub_backend import Backend

TOPIC = "projects/demo-project/topics/events"
NAME = "projects/demo-project/subscriptions/events"


@pytest.fixture
def backend() -> Backend:
    made = Backend("all")
    made.create_topic(TOPIC)
    made.create_subscription(NAME, TOPIC, ack_deadline_seconds=10)
    return made


def _publish(backend: Backend, *data: bytes) -> None:
    backend.publish(TOPIC, [(one, {}, "") for one in data])


def _pull(backend: Backend, limit: int = 100) -> dict[str, bytes]:
    return {ack_id: message.data for ack_id, message in backend.pull(NAME, limit)}


def test_what_comes_again_is_before_what_was_never_delivered_and_in_its_old_order(backend: Backend) -> None:
    _publish(backend, b"1", b"2", b"3", b"4")
    first = list(_pull(backend, 3))
    backend.modify_ack_deadline(NAME, [first[2], first[0], first[1]], 0)
    assert list(_pull(backend).values()) == [b"1", b"2", b"3", b"4"]


def test_an_acknowledgement_after_the_deadline_does_not_lose_the_message(backend: Backend) -> None:
    _publish(backend, b"slow")
    (old,) = _pull(backend)
    backend.modify_ack_deadline(NAME, [old], 0)
    backend.acknowledge(NAME, [old])
    (new,) = _pull(backend)
    assert new != old
    backend.acknowledge(NAME, [new])
    backend.modify_ack_deadline(NAME, [new], 0)
    assert _pull(backend) == {}


def test_a_longer_deadline_replaces_the_first_one(backend: Backend) -> None:
    backend.create_subscription(NAME + "-short", TOPIC, ack_deadline_seconds=1)
    _publish(backend, b"long work")
    ((ack_id, _),) = backend.pull(NAME + "-short", 1)
    backend.modify_ack_deadline(NAME + "-short", [ack_id], 60)
    time.sleep(1.1)
    assert backend.pull(NAME + "-short", 1) == []
    assert backend.seconds_to_next_deadline(NAME) == float("inf")


def test_an_answer_is_bounded_in_bytes_but_holds_at_least_one_message(backend: Backend) -> None:
    _publish(backend, b"x" * 700, b"y" * 700, b"z" * 10)
    assert [len(message.data) for _, message in backend.pull(NAME, 100, max_bytes=100)] == [700]
    assert [len(message.data) for _, message in backend.pull(NAME, 100, max_bytes=710)] == [700, 10]


def test_acknowledged_messages_take_no_memory(backend: Backend) -> None:
    for _ in range(100):
        _publish(backend, *[b"x"] * 100)
        backend.acknowledge(NAME, list(_pull(backend)))
    subscription = backend.get_subscription(NAME)
    assert not subscription.backlog
    assert not subscription.outstanding
    assert not subscription.deadlines  # type: ignore[attr-defined]
    assert len(subscription.due) < 1_000  # type: ignore[attr-defined]


def test_a_pull_from_a_large_backlog_takes_no_longer_than_one_from_a_small_backlog(backend: Backend) -> None:
    def seconds_to_pull_from(size: int) -> float:
        backend.get_subscription(NAME).backlog.extend([Message(b"x", message_id="1")] * size)
        started = time.perf_counter()
        assert len(backend.pull(NAME, 5_000)) == 5_000
        return time.perf_counter() - started

    small = min(seconds_to_pull_from(5_000) for _ in range(3))
    assert seconds_to_pull_from(400_000) < 10 * small
