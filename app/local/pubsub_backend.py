"""What the packaged Pub/Sub server keeps: drongo's state with what it lacks for losing nothing.

Added to drongo's: a message that is not acknowledged before its deadline is delivered again, so that a consumer that
was killed costs nothing; a backlog that is not copied at each pull; a lock. Acknowledged messages are forgotten, so
the memory taken is that of the backlog.
"""

import heapq
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

from drongo.core.exceptions import bad_request
from drongo.services.pubsub.models import Message, PubSubBackend, Subscription, Topic

# What an answer holds at most. The real service answers a pull with less than was asked for, too.
_MAX_ANSWER_BYTES = 10_000_000
_DEFAULT_PULL = 100
_SPARE_DEADLINES = 500
_NAME = re.compile(r"projects/[^/]+/(?:topics|subscriptions)/(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


@dataclass
class DeadlineSubscription(Subscription):
    """A subscription with the deadlines of what it has delivered."""

    backlog: deque[Message] = field(default_factory=deque)  # type: ignore[assignment]
    # When the message of an acknowledgement id comes back, and the same as a heap whose old entries are skipped.
    deadlines: dict[str, float] = field(default_factory=dict)
    due: list[tuple[float, str]] = field(default_factory=list)

    def set_deadline(self, ack_id: str, due: float) -> None:
        """Let a delivered message come back at a time."""
        self.deadlines[ack_id] = due
        heapq.heappush(self.due, (due, ack_id))

    def take_expired(self) -> list[Message]:
        """Take out what is past its deadline, in the order in which it was published."""
        expired: list[Message] = []
        while self.due and self.due[0][0] <= time.monotonic():
            due, ack_id = heapq.heappop(self.due)
            if self.deadlines.get(ack_id) == due:
                del self.deadlines[ack_id]
                expired.append(self.outstanding.pop(ack_id))
        return sorted(expired, key=lambda message: int(message.message_id))

    def drop_old_deadlines(self) -> None:
        """Forget the deadlines of what was acknowledged, once they are more than half of all."""
        if len(self.due) > 2 * len(self.deadlines) + _SPARE_DEADLINES:
            self.due = [(due, ack_id) for ack_id, due in self.deadlines.items()]
            heapq.heapify(self.due)


class Backend(PubSubBackend):
    """drongo's state with redelivery at the deadline, safe for many threads. Times are of the monotonic clock."""

    def setup(self) -> None:
        """Start empty."""
        super().setup()
        self.changed = threading.Condition(threading.RLock())

    def create_topic(self, name: str, **settings: Any) -> Topic:
        """Make a topic; raises drongo's errors for a bad name and for one that is there."""
        _check(name)
        with self.changed:
            return super().create_topic(name, **settings)

    def delete_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions and their backlog stay, as in the real service."""
        with self.changed:
            super().delete_topic(name)

    def create_subscription(self, name: str, topic: str, **settings: Any) -> DeadlineSubscription:
        """Make a subscription, which gets what is published from then on; raises as create_topic does."""
        _check(name)
        with self.changed:
            plain = super().create_subscription(name, topic, **settings)
            made = DeadlineSubscription(plain.name, plain.topic, plain.ack_deadline_seconds, plain.labels)
            self.subscriptions[name] = made
            return made

    def delete_subscription(self, name: str) -> None:
        """Delete a subscription and its backlog."""
        with self.changed:
            super().delete_subscription(name)
            self.changed.notify_all()

    def publish(self, topic_name: str, messages: list[tuple[bytes, dict[str, str], str]]) -> list[str]:
        """Append messages to every subscription of a topic and wake who waits for them; gives their ids."""
        with self.changed:
            ids: list[str] = super().publish(topic_name, messages)
            self.changed.notify_all()
            return ids

    def pull(self, name: str, max_messages: int, max_bytes: int = _MAX_ANSWER_BYTES) -> list[tuple[str, Message]]:
        """Deliver from the front of the backlog: (acknowledgement id, message), at least one if there is any."""
        with self.changed:
            subscription = self._subscription(name)
            self._return_expired(subscription)
            due = time.monotonic() + subscription.ack_deadline_seconds
            delivered: list[tuple[str, Message]] = []
            backlog, size = subscription.backlog, 0
            while backlog and len(delivered) < (max_messages or _DEFAULT_PULL):
                size += len(backlog[0].data)
                if delivered and size > max_bytes:
                    break
                ack_id = f"ack-{self._next()}"
                message = backlog.popleft()
                subscription.outstanding[ack_id] = message
                subscription.set_deadline(ack_id, due)
                delivered.append((ack_id, message))
            return delivered

    def acknowledge(self, name: str, ack_ids: list[str]) -> None:
        """Forget messages; an id whose deadline has passed is ignored, as its message comes again."""
        with self.changed:
            subscription = self._subscription(name)
            self._return_expired(subscription)
            for ack_id in ack_ids:
                subscription.outstanding.pop(ack_id, None)
                subscription.deadlines.pop(ack_id, None)
            subscription.drop_old_deadlines()

    def modify_ack_deadline(self, name: str, ack_ids: list[str], ack_deadline_seconds: int) -> None:
        """Set the deadlines to so many seconds from now; 0 gives the messages back at once."""
        with self.changed:
            subscription = self._subscription(name)
            due = time.monotonic() + ack_deadline_seconds
            for ack_id in ack_ids:
                if ack_id in subscription.outstanding:
                    subscription.set_deadline(ack_id, due)
            self._return_expired(subscription)

    def seconds_to_next_deadline(self, name: str) -> float:
        """How long until a delivered message comes back; infinite if none is outstanding."""
        with self.changed:
            due = self._subscription(name).due
            return max(0.0, due[0][0] - time.monotonic()) if due else float("inf")

    def _subscription(self, name: str) -> DeadlineSubscription:
        return cast(DeadlineSubscription, self.get_subscription(name))

    def _return_expired(self, subscription: DeadlineSubscription) -> None:
        expired = subscription.take_expired()
        if expired:
            # To the front, so that a stream that was published in order stays nearly so.
            subscription.backlog.extendleft(reversed(expired))
            self.changed.notify_all()


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise bad_request(f"Not a valid name of a topic or subscription: {name}")
