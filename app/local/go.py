"""Find the Go toolchain, or install it from a wheel for the time of one build."""

import logging
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from app.local.uv import UvMissing, find_uv

_log = logging.getLogger(__name__)
_LOCK = Path(__file__).with_name("go.lock")
_INSTALL_SECONDS = 900


class GoMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """There is no Go here and none could be installed; the message says why."""


@dataclass(frozen=True)
class Go:
    """A Go toolchain: its program, and the variables that it is to be run with."""

    program: str
    environment: dict[str, str] = field(default_factory=dict)


def find_go() -> Go | None:
    """The Go of the PATH."""
    program = shutil.which("go")
    return Go(program) if program else None


def install_go(folder: Path) -> Go:
    """Install Go into a folder, which holds all it makes and downloads too. Raises GoMissing."""
    try:
        uv = find_uv()
    except UvMissing as error:
        raise GoMissing(f"There is no Go to build it, and none could be installed: {error}") from error
    _log.info("installing Go, to build with it")
    target = folder / "toolchain"
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--target", str(target), "-r", str(_LOCK)]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        words = str(getattr(error, "stderr", None) or error).strip().splitlines() or ["no reason given"]
        raise GoMissing(f"The installation of Go for {platform.machine()} failed: {words[-1]}") from error
    # Nothing of it is used again, so nothing is left in the home folder, which may not be writable.
    own = {"GOPATH": str(folder / "packages"), "GOCACHE": str(folder / "objects")}
    return Go(str(target / "go" / "bin" / "go"), own | {"GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"})
