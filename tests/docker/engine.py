"""A Docker engine for the tests: the one that answers on this machine, else one of their own, else none.

An engine of their own is `dockerd` as root in a temporary folder, which it is removed with. It has no bridge of its own
and touches no firewall: containers meet in the networks that a test makes, and builds have the machine's network.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.local.process import Command, ServerError, running
from app.local.workspace import workspace

PREFIX: Final = "shop-test/"
"""Begins the names of the images that the tests make."""
IMAGE_LABEL: Final = "shop.tests=image"
_LABEL: Final = f"shop.tests={os.getpid()}"
"""What the containers and networks of these tests have, and are removed by at the end."""
BUILD_SECONDS: Final = 1_200
_ANSWER_SECONDS: Final = 10
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 60
_PROBE: Final = "FROM scratch\nLABEL shop.tests=probe\n"


class EngineMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """No engine runs here and none can be started; the message says why."""


class DockerError(RuntimeError):
    """A command of Docker's failed; the message has the end of what it said."""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Engine:
    """An engine and the command line that builds on it by BuildKit."""

    program: str
    host: str | None = None
    """Its socket; None for what the environment and the context name."""
    build_options: Sequence[str] = field(default=())
    """What each build needs on it."""

    @property
    def address(self) -> str:
        """Its socket, for other programs."""
        return self.host or self.run("context", "inspect", "--format={{.Endpoints.docker.Host}}")

    def ask(self, *arguments: str, text: str = "", seconds: float = 120) -> Answer:
        """Run a command, however it ends. `text` is its standard input."""
        place = {"DOCKER_HOST": self.host} if self.host else {}
        done = subprocess.run(
            [self.program, *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain", **place},
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, *arguments: str, text: str = "", seconds: float = 120) -> str:
        """Run a command and give what it printed. Raises DockerError."""
        answer = self.ask(*arguments, text=text, seconds=seconds)
        if answer.code:
            raise DockerError(f"docker {' '.join(arguments)[:200]}: {(answer.err + answer.out)[-6_000:]}")
        return answer.out.strip()

    def build(self, context: Path, tag: str, dockerfile: Path | None = None, **arguments: str) -> str:
        """Build an image with arguments of its Dockerfile, and give its tag. Raises DockerError."""
        file = ["--file", str(dockerfile)] if dockerfile else []
        given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        given += ["--label", IMAGE_LABEL]
        self.run("build", *self.build_options, "--tag", tag, *file, *given, str(context), seconds=BUILD_SECONDS)
        return tag

    @contextmanager
    def network(self, name: str) -> Iterator[str]:
        """Have a network in which containers find each other by name."""
        self.run("network", "create", "--label", _LABEL, name)
        try:
            yield name
        finally:
            self.ask("network", "rm", name)

    @contextmanager
    def container(self, *arguments: str) -> Iterator[str]:
        """Have a container run in the background, and give its id; it is removed with its volumes."""
        started = self.run("run", "--detach", "--label", _LABEL, *arguments)
        try:
            yield started
        finally:
            self.ask("rm", "--force", "--volumes", started)

    def clear(self) -> None:
        """Remove what the tests have left and made."""
        self._remove("rm", "--force", "--volumes", listed=("ps", "--all", "--quiet", f"--filter=label={_LABEL}"))
        self._remove("image", "rm", "--force", listed=("images", "--quiet", f"--filter=label={IMAGE_LABEL}"))

    def _remove(self, *command: str, listed: Sequence[str]) -> None:
        found = self.ask(*listed).out.split()
        if found:
            self.ask(*command, *found)


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Have an engine. Raises EngineMissing."""
    programs = _programs()
    if not programs:
        raise EngineMissing("there is no docker command on the PATH")
    present = _builder(programs, None)
    if present:
        try:
            yield present
        finally:
            present.clear()
        return
    daemon = shutil.which("dockerd")
    if not daemon or os.geteuid() != 0:
        raise EngineMissing("no Docker engine with BuildKit answers, and starting one takes dockerd and to be root")
    with ExitStack() as stack:
        try:
            host = stack.enter_context(_started(daemon, stack.enter_context(workspace("shop-docker-"))))
        except ServerError as error:
            raise EngineMissing(str(error)) from error
        # A build on it has no network but the machine's.
        own = _builder(programs, host, ["--network", "host"])
        if own is None:
            raise EngineMissing("the docker commands on the PATH cannot build by BuildKit (docker-buildx is missing)")
        try:
            yield own
        finally:
            own.clear()


def _programs() -> list[str]:
    """The docker commands of the PATH: one from elsewhere may lack the plugin that another one needs not."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return list(dict.fromkeys(found for folder in folders if (found := shutil.which("docker", path=folder))))


def _builder(programs: Sequence[str], host: str | None, options: Sequence[str] = ()) -> Engine | None:
    """The first command line that builds on an engine; None where none does, or the engine does not answer."""
    for program in programs:
        engine = Engine(program, host, tuple(options))
        with suppress(subprocess.TimeoutExpired):
            if engine.ask("build", "-", text=_PROBE, seconds=_ANSWER_SECONDS).code == 0:
                return engine
    return None


@contextmanager
def _started(daemon: str, folder: Path) -> Iterator[str]:
    """Run a daemon in a folder, and give its address."""
    socket = folder / "docker.sock"
    command = [
        *(daemon, "--host", f"unix://{socket}", "--pidfile", str(folder / "dockerd.pidfile")),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--bridge", "none", "--iptables=false", "--ip-masq=false"),
    ]
    # The environment may name an engine that does not answer.
    with running(Command("dockerd", command, {"DOCKER_HOST": ""}, _START_SECONDS), folder, socket.exists) as server:
        try:
            yield f"unix://{socket}"
        finally:
            server.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.process.wait(_STOP_SECONDS)
            _unmount_below(folder)


def _unmount_below(folder: Path) -> None:
    """Unmount what a daemon leaves, such as the machine's network, or its folder could not be removed."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([place for place in mounted if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
