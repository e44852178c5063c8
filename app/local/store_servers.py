"""The servers of the batch stores, as many of them as this machine can have, started together."""

import importlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.batch.settings import SERVER_STORES
from app.local.process import Server, ServerError
from app.local.workspace import workspace


class StoreServer(Protocol):
    """A started server of a store."""

    @property
    def server(self) -> Server:
        """Its process."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the batch job finds it."""

    def wait(self) -> None:
        """Wait until it answers. Raises ServerError."""


@dataclass(frozen=True)
class StoreServers:
    """Servers by the name of their store."""

    running: dict[str, StoreServer]
    missing: dict[str, str]
    """Stores without a server, and why."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the batch job finds all that run."""
        return {name: value for one in self.running.values() for name, value in one.environment.items()}


@contextmanager
def starting_store_servers(names: Collection[str] = SERVER_STORES) -> Iterator["Future[StoreServers]"]:
    """Start servers side by side while the block does other things, and stop them at its end.

    A server that cannot be had is missing from what comes.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        pool = stack.enter_context(ThreadPoolExecutor(2 * len(names) + 1, "server"))
        started: dict[str, Future[StoreServer]] = {name: pool.submit(_start, name, folder) for name in names}
        stack.callback(_stop, started.values())
        yield pool.submit(_wait, {name: pool.submit(_answering, coming) for name, coming in started.items()})


@contextmanager
def store_servers(names: Collection[str] = SERVER_STORES) -> Iterator[StoreServers]:
    """Run servers, and stop them at the end. One that cannot be had is missing from what is given."""
    with starting_store_servers(names) as coming:
        yield coming.result()


def _wait(answering: dict[str, "Future[StoreServer]"]) -> StoreServers:
    running: dict[str, StoreServer] = {}
    missing: dict[str, str] = {}
    for name, coming in answering.items():
        try:
            running[name] = coming.result()
        except ServerError as error:
            missing[name] = str(error)
    return StoreServers(running, missing)


def _answering(coming: "Future[StoreServer]") -> StoreServer:
    server = coming.result()
    server.wait()
    return server


def _stop(started: Iterable["Future[StoreServer]"]) -> None:
    """Stop all servers, also those that do not answer yet: who waits for them is told that they ended."""
    for coming in started:
        with suppress(ServerError):
            coming.result().server.stop()


def _start(name: str, folder: Path) -> StoreServer:
    """Start a server that works in a folder; its program is got first where there is none. Raises ServerError."""
    start = getattr(importlib.import_module(f"app.local.{name}"), f"start_{name}")
    found: StoreServer = start(folder)
    return found
