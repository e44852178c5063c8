"""All emulators at once: Pub/Sub, Cloud Storage and BigQuery, with the environment set for every client."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from app.local.bigquery import BigQueryEmulator, start_bigquery
from app.local.bigquery_environment import install
from app.local.gcs import GcsEmulator, start_gcs
from app.local.process import LOOPBACK
from app.local.pubsub import Kind, PubsubEmulator, start_pubsub
from app.local.workspace import workspace


@dataclass(frozen=True)
class Emulators:
    """The three emulators, which run together and find each other's files."""

    pubsub: PubsubEmulator
    gcs: GcsEmulator
    bigquery: BigQueryEmulator

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Google's clients and ours use all three, past any proxy."""
        return {
            **self.pubsub.environment,
            **self.gcs.environment,
            **self.bigquery.environment,
            **_past_the_proxy(),
        }


@contextmanager
def emulators(pubsub: Kind | None = None, *, heap: str = "1g") -> Iterator[Emulators]:
    """Start all three at the same time, set `os.environ` for them while they run, and restore it at the end.

    `pubsub` and `heap` are those of `pubsub_emulator`. Raises ServerError if one does not start, and
    EnvironmentFailed if BigQuery's cannot be installed.
    """
    install()
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        gcs = start_gcs(folder)
        stack.callback(gcs.server.stop)
        bigquery = start_bigquery(folder, gcs_folder=gcs.folder)
        stack.callback(bigquery.server.stop)
        messages = start_pubsub(folder, pubsub, heap=heap)
        stack.callback(messages.server.stop)
        for one in (gcs, messages, bigquery):
            one.wait()
        together = Emulators(messages, gcs, bigquery)
        stack.enter_context(environment(together.environment))
        yield together


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of `os.environ`, and put back at the end what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _past_the_proxy() -> dict[str, str]:
    present = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = ",".join(dict.fromkeys([*filter(None, present.split(",")), LOOPBACK, "localhost"]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}
