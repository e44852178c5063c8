"""Publish to Pub/Sub in order, one request after the other, while the next one is made.

The client's own batching sends requests side by side, so that hours arrive out of order when much is sent at once. One
request in flight keeps the order, and what was acknowledged is always a beginning of what was sent.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PublishRequest

from app.events.layout import CANONICAL
from app.gcp.clients import ProjectMissingError, publisher_client
from app.stream.messages import FORMAT
from app.stream.replayer_blocks import Piece
from app.stream.replayer_checkpoint import Position
from app.stream.replayer_times import rfc3339

MAX_MESSAGES: Final = 1000
"""Of one request, by Pub/Sub's limit."""
MAX_REQUEST_BYTES: Final = 8 << 20
"""Of the rows of one request; Pub/Sub's limit of 10 MB counts attributes too."""
_ATTRIBUTE_BYTES: Final = 256
_REQUEST_SECONDS: Final = 30
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_LOG_SECONDS: Final = 5.0
_WAITING: Final = 2
_TRY_AGAIN: Final = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.TooManyRequests,
    exceptions.RetryError,
)

_log = logging.getLogger(__name__)


class PublishError(Exception):
    """Pub/Sub does not take what is published; the message says what to do."""


class Batch:
    """The messages of one request, and where the replay stands when they are acknowledged."""

    def __init__(self, topic: str, source: str, position: Position) -> None:
        """An empty batch of rows of one file, from `position` on."""
        self.topic = topic
        self.source = source
        self.position = position
        self.blocks = 0
        self.rows = 0
        self.bytes = 0
        self.earliest: int | None = None
        self.latest: int | None = None
        # The bare message of the protocol, which is filled much faster than the client's wrapper of it.
        self.request: Any = PublishRequest.pb(PublishRequest(topic=topic))

    def takes(self, piece: Piece) -> bool:
        """Whether the piece fits into the request."""
        attributes = _ATTRIBUTE_BYTES + (len(piece.layout.text) if piece.layout != CANONICAL else 0)
        size = self.bytes + (self.blocks + 1) * attributes + len(piece.data)
        return not self.blocks or (self.blocks < MAX_MESSAGES and size <= MAX_REQUEST_BYTES)

    def add(self, piece: Piece) -> None:
        """Put a piece after the others."""
        attributes = {"format": FORMAT, "source": self.source, "first_row": str(piece.first_row)}
        if piece.layout != CANONICAL:
            attributes["columns"] = piece.layout.text
        if piece.earliest is not None and piece.latest is not None:
            attributes["first_event_time"] = rfc3339(piece.earliest)
            self.earliest = piece.earliest if self.earliest is None else min(self.earliest, piece.earliest)
            self.latest = piece.latest if self.latest is None else max(self.latest, piece.latest)
        self.request.messages.add(data=piece.data, attributes=attributes)
        self.blocks += 1
        self.rows += piece.rows
        self.bytes += len(piece.data)
        self.position = Position(self.position.file, piece.first_row + piece.rows, piece.end)


class OrderedPublisher:
    """Publishes batches in the order of `send`, in a thread of its own."""

    def __init__(
        self,
        *,
        acknowledged: Callable[[Batch], None],
        retried: Callable[[], None],
        stop: threading.Event,
        retry_seconds: float | None,
    ) -> None:
        """Start. `acknowledged` and `retried` are called in the thread, after each batch and before each new try.

        While `stop` is set a batch that Pub/Sub does not take is given up, with all after it, without an error.
        `retry_seconds` is how long a batch is tried; None for ever.

        Raises:
            PublishError: there are no credentials.
        """
        try:
            self._client = publisher_client()
        except (GoogleAuthError, ProjectMissingError) as error:
            raise PublishError(f"no credentials for Pub/Sub: {error}") from error
        self._acknowledged = acknowledged
        self._retried = retried
        self._stop = stop
        self._retry_seconds = retry_seconds
        self._queue: queue.Queue[Batch | None] = queue.Queue(_WAITING)
        self._failure: Exception | None = None
        self.gave_up = False
        """Whether a batch was given up because the replay is to stop."""
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def send(self, batch: Batch) -> None:
        """Queue a batch; waits while two others wait.

        Raises:
            PublishError: an earlier batch was refused.
        """
        self._queue.put(batch)
        self._raise_failure()

    def close(self) -> None:
        """Wait until all is acknowledged or given up.

        Raises:
            PublishError: a batch was refused; it and those after it are not published.
        """
        self._queue.put(None)
        self._thread.join()
        self._client.transport.close()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            if self._failure or self.gave_up:
                continue
            try:
                if batch.blocks and not self._publish(batch):
                    self.gave_up = True
                else:
                    self._acknowledged(batch)
            except Exception as error:
                self._failure = error

    def _publish(self, batch: Batch) -> bool:
        """Publish until it is acknowledged; False if it was given up because the replay is to stop."""
        request = PublishRequest.wrap(batch.request)
        since = time.monotonic()
        said = 0.0
        pause = _FIRST_PAUSE
        while True:
            try:
                PublisherClient.publish(self._client, request=request, retry=None, timeout=_REQUEST_SECONDS)
            except _TRY_AGAIN as error:
                now = time.monotonic()
                if self._stop.is_set():
                    return False
                if self._retry_seconds is not None and now - since >= self._retry_seconds:
                    raise PublishError(
                        f"Pub/Sub has not taken a batch for {now - since:.0f} s: {error}. Raise --retry-seconds, or "
                        "run again with the same --checkpoint when it is back"
                    ) from error
                if not said or now - said >= _LOG_SECONDS:
                    _log.warning("Pub/Sub is not reached for %.0f s, trying again: %s", now - since, error)
                    said = now
                self._retried()
                self._stop.wait(pause * random.uniform(0.5, 1))  # noqa: S311 jitter is no secret
                pause = min(pause * 2, _LONGEST_PAUSE)
            except exceptions.NotFound as error:
                raise PublishError(
                    f"the topic {batch.topic} does not exist; make it, for example with: "
                    f"gcloud pubsub topics create {batch.topic}"
                ) from error
            except exceptions.Forbidden as error:
                raise PublishError(
                    f"these credentials may not publish to {batch.topic}; grant roles/pubsub.publisher on it"
                ) from error
            except (exceptions.GoogleAPIError, GoogleAuthError) as error:
                raise PublishError(f"Pub/Sub refuses a batch for {batch.topic}: {error}") from error
            else:
                if said:
                    _log.info("Pub/Sub is reached again after %.0f s", time.monotonic() - since)
                return True
