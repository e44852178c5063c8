"""actionlint, which checks GitHub's workflows: found, else built with Go (some seconds, once)."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from app.local.go import GoMissing, find_go, install_go

VERSION: Final = "1.7.12"
CACHE: Final = Path(__file__).parents[2] / ".cache"

_MODULE: Final = f"github.com/rhysd/actionlint/cmd/actionlint@v{VERSION}"
_BUILD_SECONDS: Final = 900


class ActionlintMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """actionlint is not here and could not be had; the message says why and what to do."""


def get_actionlint() -> Path:
    """Its program: that of the PATH if it is new enough, else one built before, else built now.

    Where there is no Go it is installed from a wheel for the time of the build. Raises ActionlintMissing.
    """
    on_path = shutil.which("actionlint")
    for program in (Path(on_path) if on_path else None, _cached()):
        if program and _is_new_enough(program):
            return program
    try:
        return _build()
    except (GoMissing, OSError, subprocess.SubprocessError) as error:
        words = str(getattr(error, "stderr", None) or error).strip().splitlines() or ["no reason given"]
        raise ActionlintMissing(
            f"actionlint {VERSION} could not be built: {words[-1]}\n"
            "Put the program on the PATH; it is among the files of its release on GitHub."
        ) from error


def _cached() -> Path:
    return CACHE / "actionlint" / f"actionlint-{VERSION}"


def _is_new_enough(program: Path) -> bool:
    try:
        answer = subprocess.run([str(program), "-version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return found is not None and tuple(map(int, found.groups())) >= tuple(map(int, VERSION.split(".")))


def _build() -> Path:
    _cached().parent.mkdir(parents=True, exist_ok=True)
    # On the same disk as the cache, so that the finished program is moved there in one step.
    with tempfile.TemporaryDirectory(dir=_cached().parent) as folder:
        go = find_go() or install_go(Path(folder))
        environment = {**os.environ, **go.environment, "GOBIN": folder}
        command = [go.program, "install", _MODULE]
        subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=True)  # noqa: S603
        return (Path(folder) / "actionlint").replace(_cached())
