"""PullMessages: a Pub/Sub source for runners on one machine, in place of Beam's own, which only Dataflow runs.

It is a splittable DoFn that pulls for two seconds or so, gives the messages to the steps that are fused with it, and
then asks to be resumed. What it pulled is acknowledged when it is resumed: the runner does that only after the bundle
is done, when the rows are stored. A pipeline that is killed before that gets the messages again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import apache_beam as beam
from apache_beam.coders import Coder, PickleCoder
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp
from google.api_core import exceptions
from google.pubsub_v1.types import PullRequest, ReceivedMessage

from app.events.csv_codec import Block
from app.gcp.clients import subscriber_client
from app.stream.messages import block_of

_END: Final = 1 << 60
_PULL_SECONDS: Final = 2.0
_PULL_MESSAGES: Final = 100
_BUNDLE_MESSAGES: Final = 1_000
_BUNDLE_BYTES: Final = 64 << 20
_ACKNOWLEDGE: Final = 1000
_IDLE_PAUSE: Final = Duration(micros=50_000)
_UNREACHABLE_PAUSE: Final = Duration(micros=500_000)
_UNREACHABLE: Final = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.RetryError,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Pulls:
    """Counts messages from `start`.

    `acknowledge` are the ids of those before it, whose bundle is done. `idle_since` [Unix seconds] is here and not in
    the DoFn, because the runner may go on with another copy of that.
    """

    start: int
    stop: int
    idle_since: float
    acknowledge: tuple[str, ...] = ()


class _PullTracker(RestrictionTracker):
    """Claims are pairs of a message's number and its acknowledgement id, which is empty where there is no message."""

    def __init__(self, pulls: _Pulls) -> None:
        self._pulls = pulls
        self._next = pulls.start
        self._idle_since = pulls.idle_since
        self._claimed: list[str] = []
        self._is_done = False

    def current_restriction(self) -> _Pulls:
        return self._pulls

    def try_claim(self, position: tuple[int, str]) -> bool:
        number, ack_id = position
        if number >= self._pulls.stop:
            self._is_done = True
            return False
        self._idle_since = time.time()
        if ack_id:
            self._next = number + 1
            self._claimed.append(ack_id)
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[_Pulls, _Pulls] | None:
        # Only the source's own request to be resumed splits it; a runner must not cut a stream in two.
        if fraction_of_remainder != 0 or self._is_done:
            return None
        rest = _Pulls(self._next, self._pulls.stop, self._idle_since, tuple(self._claimed))
        self._pulls = replace(self._pulls, stop=self._next)
        self._is_done = True
        return self._pulls, rest

    def check_done(self) -> None:
        if not self._is_done and self._next < self._pulls.stop:
            raise ValueError("the source ended without being asked to")

    def current_progress(self) -> RestrictionProgress:
        # Beam computes NaN from any other form of progress without an end.
        return RestrictionProgress(fraction=0.0)

    def is_bounded(self) -> bool:
        return False


class _PullProvider(RestrictionProvider):
    def initial_restriction(self, element: str) -> _Pulls:  # noqa: ARG002 - Beam's signature
        return _Pulls(0, _END, time.time())

    def create_tracker(self, restriction: _Pulls) -> _PullTracker:
        return _PullTracker(restriction)

    def restriction_size(self, element: str, restriction: _Pulls) -> float:  # noqa: ARG002 - Beam's signature
        return 1.0

    def split(self, element: str, restriction: _Pulls) -> Iterator[_Pulls]:  # noqa: ARG002 - Beam's signature
        yield restriction

    def truncate(self, element: str, restriction: _Pulls) -> None:  # noqa: ARG002 - Beam's signature
        return None

    def restriction_coder(self) -> Coder:
        return PickleCoder()


class PullMessages(beam.PTransform):
    """Blocks from a subscription, with the time of publication as their timestamp.

    The source ends when nothing came for `until_idle` seconds and Pub/Sub answers; 0 is never. A message that a
    killed run had pulled comes again after the subscription's ack deadline, so wait longer than that for it.
    """

    def __init__(self, subscription: str, until_idle: float = 0) -> None:
        super().__init__()
        self._subscription = subscription
        self._until_idle = until_idle

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Block]:
        """One element a message."""
        return begin | beam.Create([self._subscription]) | beam.ParDo(_Pull(self._until_idle)).with_output_types(Block)


class _Pull(beam.DoFn):
    def __init__(self, until_idle: float) -> None:
        self._until_idle = until_idle

    def setup(self) -> None:
        self._client = subscriber_client()

    def teardown(self) -> None:
        self._client.close()

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        subscription: str,
        tracker: Any = beam.DoFn.RestrictionParam(_PullProvider()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),
    ) -> Iterator[TimestampedValue]:
        pulls = tracker.current_restriction()
        if not self._acknowledge(subscription, pulls.acknowledge):
            raise RuntimeError(f"Pub/Sub lost the subscription {subscription}")
        number, size, began = pulls.start, 0, time.monotonic()
        messages: list[ReceivedMessage] | None = []
        while number - pulls.start < _BUNDLE_MESSAGES and size < _BUNDLE_BYTES:
            messages = self._pull(subscription, wait=number == pulls.start)
            for received in messages or ():
                tracker.try_claim((number, received.ack_id))
                number += 1
                message = received.message
                size += len(message.data)
                published = Timestamp.from_utc_datetime(message.publish_time)
                yield TimestampedValue(block_of(message.data, message.attributes, message.message_id), published)
                self._advance(watermark, published)
            if not messages or time.monotonic() - began > _PULL_SECONDS:
                break
        if number > pulls.start:
            tracker.defer_remainder()
        elif messages is None:
            tracker.try_claim((number, ""))
            tracker.defer_remainder(_UNREACHABLE_PAUSE)
        elif self._until_idle and time.time() - pulls.idle_since >= self._until_idle:
            tracker.try_claim((_END, ""))
            self._advance(watermark, MAX_TIMESTAMP)
        else:
            self._advance(watermark, Timestamp.now() - _PULL_SECONDS)
            tracker.defer_remainder(_IDLE_PAUSE)

    def _pull(self, subscription: str, *, wait: bool) -> list[ReceivedMessage] | None:
        """Messages, at least one if there is one and `wait`; None if Pub/Sub does not answer."""
        try:
            with suppress(exceptions.DeadlineExceeded):
                response = self._client.pull(
                    subscription=subscription, max_messages=_PULL_MESSAGES, timeout=2.0 if wait else 0.3, retry=None
                )
                return list(response.received_messages)
            if not wait:
                return []
            # Nothing came, or Pub/Sub does not answer: a question that is answered at once tells.
            request = PullRequest(subscription=subscription, max_messages=_PULL_MESSAGES, return_immediately=True)
            return list(self._client.pull(request, timeout=2.0, retry=None).received_messages)
        except _UNREACHABLE as error:
            _log.warning("Pub/Sub does not answer (%s); trying again", error.message)
            return None

    def _acknowledge(self, subscription: str, ack_ids: tuple[str, ...]) -> bool:
        """Acknowledge; what Pub/Sub does not hear of it delivers again, which costs time and changes nothing."""
        for start in range(0, len(ack_ids), _ACKNOWLEDGE):
            part = list(ack_ids[start : start + _ACKNOWLEDGE])
            try:
                self._client.acknowledge(subscription=subscription, ack_ids=part, timeout=10.0)
            except _UNREACHABLE as error:
                _log.warning("%d messages are not acknowledged and will come again: %s", len(part), error)
            except exceptions.NotFound:
                return False
        return True

    @staticmethod
    def _advance(watermark: Any, to: Timestamp) -> None:
        now = watermark.current_watermark()
        if now is None or to > now:
            watermark.set_watermark(to)
