"""Pulumi's command line program: found, else installed by its official installer, else built from Go modules.

A CLI counts as complete if it has its language host for Python beside it, as a release has. The build makes the CLI
alone, from the modules that `pulumi-cli/go.sum` names by hash, and puts `pulumi_language.py` beside it as the host.
"""

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.local.go import GoMissing, find_go, install_go

OLDEST = (3, 259, 0)
CACHE = Path(__file__).parents[2] / ".cache"

_log = logging.getLogger(__name__)
_MODULE = Path(__file__).with_name("pulumi-cli")
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_SDK = "github.com/pulumi/pulumi/sdk/v3"
_VERSION_VARIABLE = f"{_SDK}/go/common/version.Version"
_HOST = Path(__file__).with_name("pulumi_language.py")
_COMPANIONS = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
_INSTALL_SECONDS = 300
_BUILD_SECONDS = 3_600
_PATIENCE_SECONDS = 30
# The SDK's own installer knows the address of the script of each system; it has no time limit, so it is given one here.
_INSTALLER = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"


class PulumiMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """Pulumi's CLI is not here and could not be had; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Pulumi:
    """A complete CLI that was run: its program and its version, e.g. `3.259.0`."""

    program: Path
    version: str

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The variables to run it with: `base`, with the CLI and this process's Python first on the PATH.

        The language host runs programs by the `python3` that it finds there.
        """
        folders = [str(self.program.parent), str(Path(sys.executable).parent)]
        path = os.pathsep.join([*folders, base.get("PATH", os.defpath)])
        return {**base, "PATH": path, "VIRTUAL_ENV": sys.prefix, "PULUMI_SKIP_UPDATE_CHECK": "true"}


def get_pulumi() -> Pulumi:
    """A complete CLI: one that is here, else installed from the network, else built (some minutes, once).

    Two processes that ask at the same time wait for each other. Raises PulumiMissing.
    """
    found = find_pulumi()
    if found:
        return found
    with _locked(CACHE / "pulumi.lock"):
        faults = []
        for get in (find_pulumi, _install, _build):
            try:
                found = get()
            except PulumiMissing as missing:
                faults.append(f"- {missing}")
            if found:
                return found
    raise PulumiMissing(
        f"Pulumi's CLI {_in_words(OLDEST)} or newer is needed.\n" + "\n".join(faults) + "\n"
        "Install it, e.g. `curl -fsSL https://get.pulumi.com | sh` or `brew install pulumi/tap/pulumi`, "
        "or set PULUMI to its program."
    )


def find_pulumi() -> Pulumi | None:
    """The first complete CLI that is new enough: of the variable PULUMI, the PATH, the home folder, or got before."""
    named, on_path = os.environ.get("PULUMI"), shutil.which("pulumi")
    # Path's own way to the home folder raises where a user has none, as in some containers.
    at_home = os.path.expanduser("~/.pulumi/bin/pulumi")  # noqa: PTH111
    if _program(_built()).is_file():
        _write_host(_program(_built()).parent)
    for program in (named, on_path, at_home, _program(_installed()), _program(_built())):
        pulumi = probe(Path(program)) if program else None
        if pulumi:
            return pulumi
    return None


def probe(program: Path) -> Pulumi | None:
    """Run a CLI and read its version; None if it does not work, is too old or has no language host beside it."""
    try:
        answer = subprocess.run([str(program), "version"], capture_output=True, text=True, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
    if not numbers or tuple(map(int, numbers.groups())) < OLDEST:
        return None
    # The CLI looks for them beside the file that it is, which the PATH may name by a link.
    if not all((program.resolve().parent / name).is_file() for name in _COMPANIONS):
        return None
    return Pulumi(program, numbers[0].removeprefix("v"))


def _in_words(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _program(folder: Path) -> Path:
    return folder / "bin" / "pulumi"


def _installed() -> Path:
    return CACHE / "pulumi" / f"installed-{version('pulumi')}"


def _built() -> Path:
    content = b"".join((_MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return CACHE / "pulumi" / f"built-{hashlib.sha256(content).hexdigest()[:12]}"


def _install() -> Pulumi | None:
    _log.info("installing Pulumi's CLI %s into %s (once)", version("pulumi"), _installed())
    with _new_folder(_installed()) as folder:
        _run([sys.executable, "-c", _INSTALLER, str(folder)], "The official installer", _INSTALL_SECONDS)
    return _working(_installed())


def _build() -> Pulumi | None:
    number = _in_words(OLDEST)
    with _new_folder(_built()) as folder, tempfile.TemporaryDirectory(dir=folder.parent) as work:
        try:
            go = find_go() or install_go(Path(work))
        except GoMissing as missing:
            raise PulumiMissing(str(missing)) from missing
        _log.info("building Pulumi's CLI %s with Go (some minutes, once)", number)
        command = [go.program, "build", "-mod=readonly", "-buildvcs=false"]
        flags = ["-ldflags", f"-s -w -X {_VERSION_VARIABLE}=v{number}"]
        settings = {**go.environment, "GOWORK": "off"}
        target = str(_program(folder))
        _run([*command, *flags, "-o", target, _PACKAGE], "The build with Go", _BUILD_SECONDS, _MODULE, settings)
        place = [go.program, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", _SDK]
        sdk = Path(_run(place, "The look-up of Pulumi's module", _INSTALL_SECONDS, _MODULE, settings).strip())
        for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
            copied = shutil.copyfile(sdk / "python" / script, _program(folder).with_name(Path(script).name))
            copied.chmod(0o755)
        _write_host(_program(folder).parent)
    return _working(_built())


def _write_host(folder: Path) -> None:
    # By the path of this clone, which may have been moved or be another one that shares the cache.
    host = folder / _COMPANIONS[0]
    text = (
        "#!/bin/sh\n"
        f'exec "${{PULUMI_PYTHON_CMD:-python3}}" -P "{_HOST}" '
        '--executor "$(dirname "$0")/pulumi-language-python-exec" "$@"\n'
    )
    if host.is_file() and host.read_text() == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o755)
    Path(file.name).replace(host)


def _working(folder: Path) -> Pulumi:
    pulumi = probe(_program(folder))
    if not pulumi:
        shutil.rmtree(folder, ignore_errors=True)
        raise PulumiMissing(f"What was put into {folder} does not run on this machine or is not complete.")
    return pulumi


@contextmanager
def _new_folder(final: Path) -> Iterator[Path]:
    """An empty folder that takes its final name once all in it is done."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent) as name:
        folder = Path(name) / "made"
        (folder / "bin").mkdir(parents=True)
        yield folder
        shutil.rmtree(final, ignore_errors=True)
        folder.replace(final)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info("waiting for another run that gets Pulumi's CLI")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(
    command: list[str],
    what: str,
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and give its output; say from time to time that it still runs."""
    started = time.monotonic()
    try:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    except OSError as error:
        raise PulumiMissing(f"{what} failed: {error}") from error
    try:
        while True:
            try:
                output, errors = process.communicate(timeout=_PATIENCE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - started
                if passed > seconds:
                    raise PulumiMissing(f"{what} was not done in {seconds:.0f} s.") from None
                _log.info("still at it after %.0f s", passed)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        last = (errors.strip().splitlines() or ["no reason given"])[-1]
        raise PulumiMissing(f"{what} failed: {last}")
    return output
