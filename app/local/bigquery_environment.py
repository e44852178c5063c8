"""The Python environment of the BigQuery emulator: made by uv from a lock, once, and again when that changes."""

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.local.uv import UvMissing, find_uv

_log = logging.getLogger(__name__)
LOCK = Path(__file__).with_name("bigquery-emulator.lock")
ENVIRONMENT = Path(__file__).parents[2] / ".cache" / "bqemulator"
# The emulator's database loads this extension at its start, and would download it if it were not there.
_IMPORT_EXTENSION = "from duckdb_extensions import import_extension; import_extension('spatial')"
_TAIL_LINES = 20


class EnvironmentFailed(RuntimeError):  # noqa: N818 - what happened, in the caller's words
    """The emulator's environment could not be made; the message holds the installer's last words."""


def install(environment: Path = ENVIRONMENT, lock: Path = LOCK) -> Path:
    """Make the environment as the lock says where it is missing or old, and give its Python.

    Two processes that ask at the same time wait for each other. Raises EnvironmentFailed.
    """
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    mark = environment / ".installed"
    if _content(mark) == wanted:
        return python_of(environment)
    environment.parent.mkdir(parents=True, exist_ok=True)
    with _locked(environment.with_suffix(".lock")):
        if _content(mark) != wanted:
            _log.info("installing the BigQuery emulator into %s (once)", environment)
            _make(environment, lock)
            mark.write_text(wanted)
    return python_of(environment)


def python_of(environment: Path) -> Path:
    """The Python program of an environment."""
    return environment / "bin" / "python"


def _make(environment: Path, lock: Path) -> None:
    try:
        uv = find_uv()
    except UvMissing as error:
        raise EnvironmentFailed(f"The BigQuery emulator could not be installed: {error}") from error
    if not _works(environment):
        shutil.rmtree(environment, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)])
    python = str(python_of(environment))
    _run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(lock)])
    _run([python, "-I", "-c", _IMPORT_EXTENSION], home=environment)


def _works(environment: Path) -> bool:
    try:
        subprocess.run([str(python_of(environment)), "-c", ""], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _run(command: list[str], home: Path | None = None) -> None:
    environment = {**os.environ, "HOME": str(home)} if home else None
    answer = subprocess.run(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if answer.returncode:
        tail = "\n".join(answer.stdout.splitlines()[-_TAIL_LINES:])
        raise EnvironmentFailed(f"The BigQuery emulator could not be installed:\n{tail}\nCommand: {' '.join(command)}")


def _content(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
