"""Run a program to its end as a child that cannot outlive this process, its output kept in a log."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.local.process import Command, Server, start

REPOSITORY: Final = Path(__file__).parents[2]
_POLL_SECONDS: Final = 0.1


class JobError(RuntimeError):
    """A job failed; the message has its exit code and its last words."""


class Job:
    """A started program."""

    def __init__(self, server: Server) -> None:
        """Take over a child that was just started."""
        self._server = server

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._server.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._server.is_running

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            JobError: it ended with another exit code than 0.
        """
        # The child is polled, so that a signal to this process is heard at once.
        while (code := self._server.process.poll()) is None:
            time.sleep(_POLL_SECONDS)
        if code:
            name = self._server.command.name
            raise JobError(f"{name} failed with exit code {code}. Its last words:\n{self._server.log_tail().strip()}")


@contextmanager
def module_job(
    name: str, module: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Job]:
    """Run `python -m module arguments`, its log in `folder`; it is killed if the block is left before its end."""
    command = Command(
        name,
        [sys.executable, "-m", module, *arguments],
        {"PYTHONPATH": str(REPOSITORY), **(environment or {})},
        seconds=0,
    )
    server = start(command, folder)
    try:
        yield Job(server)
    finally:
        server.stop()
