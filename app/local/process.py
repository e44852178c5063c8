"""Start a server as a child, wait until it answers, read the end of its log, stop it."""

import contextlib
import functools
import http.client
import itertools
import logging
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

_log = logging.getLogger(__name__)
_GUARD = Path(__file__).with_name("guard.py")
_TAIL_BYTES = 16 << 10
_TAIL_LINES = 30
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 2.0
# Below the range from which the kernel takes the ports of outgoing connections, so that none of those is in the way.
_PORTS = range(20_000, 32_000)


class ServerError(RuntimeError):
    """A server did not start or went away; the message holds the end of its log and what to do."""


@dataclass(frozen=True)
class Command:
    """How a server is started.

    `name` is used in messages and for the log's name, `environment` is added to this process's own, `seconds` is how
    long it may take to answer, and `advice` ends the message of an error.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    seconds: float
    advice: str = ""


@dataclass(frozen=True)
class Server:
    """A started child: its process id, which also is its process group, and its log."""

    command: Command
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The server's own process id, for measuring what it takes."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended."""
        return self.process.poll() is None

    def log_tail(self) -> str:
        """The last lines of what the server printed; empty if it printed nothing."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:])

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Ask again and again until the server answers.

        Raises ServerError when it ends first or takes longer than its command allows.
        """
        started = time.monotonic()
        while True:
            if not self.is_running:
                raise self._error(f"ended at its start with exit code {self.process.returncode}")
            if answers():
                # A server that could not bind its port may be about to end while another one answers there.
                if self.is_running:
                    _log.debug("%s answers after %.1f s", self.command.name, time.monotonic() - started)
                    return
            elif time.monotonic() - started > self.command.seconds:
                raise self._error(f"did not answer within {self.command.seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the server and all that it started; does nothing if it has ended."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_SECONDS)
        # Also after it ended by itself: its group may still have members.
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.log.with_suffix(".pid").unlink(missing_ok=True)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the server from answering, as if it were unreachable, until the end of the block. It loses nothing."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _error(self, what: str) -> ServerError:
        tail = self.log_tail().strip() or "(it printed nothing)"
        return ServerError(
            f"{self.command.name} {what}.\nIts last words:\n{tail}\nCommand: {' '.join(self.command.arguments)}"
            + (f"\n{self.command.advice}" if self.command.advice else "")
        )


def start(command: Command, folder: Path) -> Server:
    """Start a server that runs and logs in `folder`, without waiting for it.

    It leads a process group of its own, so a Ctrl-C in the terminal reaches this process alone, which then stops it.
    On Linux the kernel kills it when this process dies. Raises ServerError where the program does not exist.
    """
    log = folder / f"{re.sub('[^a-z]+', '-', command.name.lower())}-{time.monotonic_ns()}.log"
    _log.debug("starting %s: %s", command.name, " ".join(command.arguments))
    # The kernel's tie is to the thread that starts the child, so that has to be one that lasts.
    process = _starter(os.getpid()).submit(_spawn, command, folder, log).result()
    log.with_suffix(".pid").write_text(str(process.pid))
    return Server(command, process, log)


@contextlib.contextmanager
def running(command: Command, folder: Path, answers: Callable[[], bool]) -> Iterator[Server]:
    """Start a server in `folder`, give it once it answers, stop it at the end. Raises ServerError."""
    server = start(command, folder)
    try:
        server.wait_until(answers)
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of the loopback address on which nothing listens, and that no other call was given of late.

    Servers that start at the same time bind theirs later. Raises ServerError if there is none.
    """
    for port in itertools.islice(_ports(os.getpid()), 200):
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((LOOPBACK, port))
            return port
    raise ServerError(f"No free port between {_PORTS.start} and {_PORTS.stop} on {LOOPBACK}.")


def accepts_connections(port: int) -> bool:
    """Whether something listens on a port of the loopback address."""
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex((LOOPBACK, port)) == 0


def answers_http(port: int, path: str, seconds: float = 5) -> bool:
    """Whether a GET of a path on a port of the loopback address is answered with 200 in time; no proxy is asked."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@functools.cache
def _ports(_process: int) -> Iterator[int]:
    return itertools.cycle(random.sample(_PORTS, len(_PORTS)))


@functools.cache
def _starter(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")


def _spawn(command: Command, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    guard = [sys.executable, "-I", "-S", str(_GUARD), "exec", str(os.getpid()), "--"]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [*guard, *command.arguments],
            cwd=folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
