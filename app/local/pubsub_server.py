"""A Pub/Sub server for machines without Google's emulator: drongo's, made fit for real clients.

drongo (a wheel) keeps topics, subscriptions and messages in memory. Added are redelivery (pubsub_backend.py), a pull
that waits for messages as the real service's does, StreamingPull, and requests of up to 10 MB as in the real service.

    python -m app.local.pubsub_server --port 8085
"""

import argparse
import signal
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
from drongo.services.pubsub.emulator import PubSubEmulator
from drongo.services.pubsub.models import Message, Subscription
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from app.local.pubsub_backend import Backend

MAX_REQUEST_BYTES = 10_000_000
_MAX_MESSAGES_PER_PUBLISH = 1_000
_LONGEST_PULL_SECONDS = 90.0
_WAKE_SECONDS = 0.5
# A pull or a stream that waits holds one; they are made when they are needed.
_THREADS = 256


class Emulator(PubSubEmulator):
    """drongo's gRPC handlers over the backend above, served on a port of our choice."""

    def __init__(self) -> None:
        """Start with nothing."""
        super().__init__(backends={})
        self._grpc, self._pt, self._empty = grpc, types, empty_pb2
        self._state = Backend("all projects")

    def serve(self, host: str, port: int) -> grpc.Server:
        """Start to serve. Raises RuntimeError if the port is taken."""
        server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=_THREADS),
            options=[
                # A little more than the limit, so that the answer to a large request is ours and not the transport's.
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES + (1 << 20)),
                ("grpc.max_send_message_length", -1),
                # Otherwise a second server could share the port, and with it half of the messages.
                ("grpc.so_reuseport", 0),
            ],
        )
        server.add_generic_rpc_handlers((self._streaming_pull_handler(), *self._build_handlers()))
        server.add_insecure_port(f"{host}:{port}")
        server.start()
        return server

    def _backend(self) -> Backend:
        return self._state

    def _publish(self, request: Any, context: grpc.ServicerContext) -> Any:
        raw = types.PublishRequest.pb(request)
        if raw.ByteSize() > MAX_REQUEST_BYTES or len(raw.messages) > _MAX_MESSAGES_PER_PUBLISH:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"A publish request holds at most {MAX_REQUEST_BYTES} bytes and {_MAX_MESSAGES_PER_PUBLISH} messages.",
            )
        messages = [(m.data, dict(m.attributes), m.ordering_key) for m in raw.messages]
        return types.PublishResponse(message_ids=self._state.publish(raw.topic, messages))

    def _pull(self, request: Any, context: grpc.ServicerContext) -> Any:
        remaining = context.time_remaining()
        seconds = _LONGEST_PULL_SECONDS if remaining is None else min(remaining, _LONGEST_PULL_SECONDS)
        until = time.monotonic() + (0 if request.return_immediately else seconds)
        delivered = self._wait_for(request.subscription, request.max_messages, context, until)
        return types.PullResponse(received_messages=[self._received(*one) for one in delivered])

    def _wait_for(
        self, name: str, limit: int, context: grpc.ServicerContext, until: float
    ) -> list[tuple[str, Message]]:
        state = self._state
        with state.changed:
            # A client that has gone must not be given messages: they would be gone until their deadline.
            while context.is_active():
                delivered = state.pull(name, limit)
                left = until - time.monotonic()
                if delivered or left <= 0:
                    return delivered
                state.changed.wait(min(left, _WAKE_SECONDS, state.seconds_to_next_deadline(name) + 0.001))
        return []

    def _received(self, ack_id: str, message: Message) -> Any:
        return types.ReceivedMessage(ack_id=ack_id, message=self._to_message_proto(message))

    def _streaming_pull_handler(self) -> Any:
        method = grpc.stream_stream_rpc_method_handler(
            self._streaming_pull,
            request_deserializer=types.StreamingPullRequest.deserialize,
            response_serializer=types.StreamingPullResponse.serialize,
        )
        return grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", {"StreamingPull": method})

    def _streaming_pull(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        first = next(requests)
        name = first.subscription
        if name not in self._state.subscriptions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Subscription not found: {name}")
        flow = _Flow(first.max_outstanding_messages or 1_000, first.max_outstanding_bytes or MAX_REQUEST_BYTES)
        reader = threading.Thread(target=self._take_answers, args=(name, requests), daemon=True)
        reader.start()
        while context.is_active():
            with self._state.changed:
                if name not in self._state.subscriptions:
                    context.abort(grpc.StatusCode.NOT_FOUND, f"Subscription was deleted: {name}")
                free = flow.free(self._state.subscriptions[name])
                delivered = self._state.pull(name, *free) if free else []
                flow.add(delivered)
                if not delivered:
                    self._state.changed.wait(_WAKE_SECONDS)
            if delivered:
                yield types.StreamingPullResponse(received_messages=[self._received(*one) for one in delivered])

    def _take_answers(self, name: str, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                with self._state.changed:
                    self._state.acknowledge(name, list(request.ack_ids))
                    changes = zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True)
                    for ack_id, seconds in changes:
                        self._state.modify_ack_deadline(name, [ack_id], seconds)
                    self._state.changed.notify_all()
        except grpc.RpcError:
            pass  # the client went away; what it did not acknowledge comes again at the deadline


class _Flow:
    """How much of a stream is out with its client, which bounds what it is sent."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._sizes: dict[str, int] = {}

    def add(self, delivered: list[tuple[str, Message]]) -> None:
        self._sizes.update((ack_id, len(message.data)) for ack_id, message in delivered)

    def free(self, subscription: Subscription) -> tuple[int, int] | None:
        """Messages and bytes that may be sent; None if the client has all that it asked for."""
        self._sizes = {key: size for key, size in self._sizes.items() if key in subscription.outstanding}
        messages, size = self._max_messages - len(self._sizes), self._max_bytes - sum(self._sizes.values())
        return (messages, size) if messages > 0 and size > 0 else None


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server = Emulator().serve(options.host, options.port)
    stopped.wait()
    server.stop(grace=None).wait()


if __name__ == "__main__":
    main()
