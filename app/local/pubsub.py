"""An emulator of Pub/Sub: Google's own where the machine has it, else a packaged one. Both speak the real protocol."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from app.local.java import JavaMissing, find_java
from app.local.process import LOOPBACK, Command, Server, ServerError, accepts_connections, free_port, start
from app.local.workspace import workspace

PROJECT = "demo-project"
Kind = Literal["google", "packaged"]

_log = logging.getLogger(__name__)
_REPOSITORY = Path(__file__).parents[2]
_JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_MINIMUM_JAVA = 11


@dataclass(frozen=True)
class PubsubEmulator:
    """A Pub/Sub emulator: its server, its address (host:port) and which of the two it is."""

    server: Server
    host: str
    kind: Kind

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Google's clients use it."""
        return {"PUBSUB_EMULATOR_HOST": self.host, "GOOGLE_CLOUD_PROJECT": PROJECT}

    def create_topic(self, name: str) -> str:
        """Make a topic and give its full path. Raises google.api_core.exceptions.AlreadyExists."""
        with self._channel() as channel:
            client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
            return client.create_topic(name=f"projects/{PROJECT}/topics/{name}").name

    def create_subscription(self, name: str, topic: str, *, ack_deadline_seconds: int = 60) -> str:
        """Make a subscription to a topic (its name or full path) and give the subscription's full path.

        It gets what is published from then on. Raises google.api_core.exceptions.AlreadyExists or NotFound.
        """
        path = topic if "/" in topic else f"projects/{PROJECT}/topics/{topic}"
        with self._channel() as channel:
            client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
            made = client.create_subscription(
                name=f"projects/{PROJECT}/subscriptions/{name}", topic=path, ack_deadline_seconds=ack_deadline_seconds
            )
            return made.name

    def wait(self) -> None:
        """Wait until it answers. Raises ServerError."""
        port = int(self.host.rsplit(":", 1)[1])
        self.server.wait_until(lambda: accepts_connections(port) and self._answers())

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.host, options=[("grpc.enable_http_proxy", 0)])

    def _answers(self) -> bool:
        with self._channel() as channel:
            client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
            try:
                client.list_topics(project=f"projects/{PROJECT}", timeout=5, retry=None)
            except GoogleAPICallError:
                return False
            return True


@contextmanager
def pubsub_emulator(
    kind: Kind | None = None, *, heap: str = "1g", folder: Path | None = None
) -> Iterator[PubsubEmulator]:
    """Run a Pub/Sub emulator in a new temporary folder, or in `folder`.

    `kind` None takes Google's where the machine has it with a Java, else the packaged one. `heap` is the Java heap of
    Google's, as `java -Xmx` takes it: it keeps acknowledged messages too, and stops to answer when it is full.
    Raises ServerError with the end of its log if it does not start, or if the kind asked for is not here.
    """
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        emulator = start_pubsub(place, kind, heap=heap)
        stack.callback(emulator.server.stop)
        emulator.wait()
        yield emulator


def start_pubsub(folder: Path, kind: Kind | None = None, *, heap: str = "1g") -> PubsubEmulator:
    """Start an emulator in `folder` without waiting for it; the caller stops its server. Raises ServerError."""
    google = _google_command(heap) if kind != "packaged" else None
    if kind == "google" and not google:
        raise ServerError(
            "Google's Pub/Sub emulator is not on this machine. It needs Java and one of: gcloud components install "
            "pubsub-emulator; apt-get install google-cloud-cli-pubsub-emulator. The packaged emulator needs neither."
        )
    port = free_port()
    host = f"{LOOPBACK}:{port}"
    if google:
        arguments = [*google, f"--host={LOOPBACK}", f"--port={port}"]
        command = Command("Pub/Sub emulator", arguments, {}, seconds=60)
        return PubsubEmulator(start(command, folder), host, "google")
    arguments = [sys.executable, "-m", "app.local.pubsub_server", "--host", LOOPBACK, "--port", str(port)]
    command = Command("Pub/Sub emulator", arguments, {"PYTHONPATH": str(_REPOSITORY)}, seconds=60)
    return PubsubEmulator(start(command, folder), host, "packaged")


def google_emulator_jar() -> Path | None:
    """The program of Google's emulator, in the newest version that the SDKs on this machine have."""
    found = [jar for root in _sdk_roots() for jar in sorted(root.glob(_JAR))]
    return found[-1] if found else None


def _google_command(heap: str) -> list[str] | None:
    jar = google_emulator_jar()
    if not jar:
        return None
    try:
        java = find_java(minimum=_MINIMUM_JAVA, modules=())
    except JavaMissing:
        _log.debug("%s is here, but no Java to run it", jar)
        return None
    return [str(java.program), f"-Xmx{heap}", "-jar", str(jar)]


def _sdk_roots() -> Iterator[Path]:
    named = os.environ.get("CLOUDSDK_ROOT") or os.environ.get("CLOUDSDK_ROOT_DIR")
    if named:
        yield Path(named)
    gcloud = shutil.which("gcloud")
    if gcloud:
        # The program is in the SDK's `bin`; what is on the PATH may be a link to it.
        yield Path(gcloud).resolve().parents[1]
    yield from (
        Path("/usr/lib/google-cloud-sdk"),
        Path("/usr/share/google-cloud-sdk"),
        Path(os.path.expanduser("~/google-cloud-sdk")),  # noqa: PTH111 - works without a home too
    )
    if gcloud:
        yield from _root_by_gcloud(gcloud)


def _root_by_gcloud(gcloud: str) -> Iterator[Path]:
    command = [gcloud, "info", "--format=value(installation.sdk_root)"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return
    if answer.stdout.strip():
        yield Path(answer.stdout.strip())
