"""Makes the project's Python environment where it is missing or old, and runs the calling script in it.

    import _environment
    _environment.ensure()          # returns only in the environment; imports of the project come after it

Uses the standard library alone, and no syntax newer than Python 3.8, so that an old Python gets a message and not a
syntax error. The environment is `.venv`, made by uv from `requirements.lock`; uv is taken from the machine or put into
`.cache/uv`. Packages come from where uv's or else pip's own settings say. After a change of those in pyproject.toml:

    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \\
        --all-extras -o requirements.lock pyproject.toml
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
LOCK = ROOT / "requirements.lock"
_OLDEST = (3, 11)
_TOO_NEW = (3, 15)
_PATIENCE_SECONDS = 10
_SHOWN_LINES = 8
_NO_UV = """The program uv is needed to install the Python packages, and could not be had:
{faults}
Install it in one of these ways and run this again:
  python3 -m pip install uv
  curl -LsSf https://astral.sh/uv/install.sh | sh
  brew install uv"""


class EnvironmentFailed(Exception):  # noqa: N818 - what happened, in the caller's words
    """The environment could not be made; the message says why and what to do."""


def ensure() -> None:
    """Go on in the project's environment: make it if need be, and run the script again with its Python.

    Sets the module path to the repository, here and for child processes. Ends the process with a message if the
    environment cannot be made.
    """
    _add_root_to_path()
    _prepare_uv()
    try:
        if _is_current() and _is_running_in_it():
            return
        if not _is_current():
            _make()
    except EnvironmentFailed as error:
        sys.exit(f"The Python environment could not be made.\n{error}")
    sys.stdout.flush()
    os.execv(str(_python()), [str(_python()), *sys.argv])  # noqa: S606 - no shell is wanted


def _add_root_to_path() -> None:
    entries = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(entries))
    if str(ROOT) not in sys.path:
        sys.path.insert(1, str(ROOT))


def _is_running_in_it() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def _is_current() -> bool:
    wanted = _wanted()
    return _mark().is_file() and _mark().read_text() == wanted and os.access(str(_python()), os.X_OK)


def _mark() -> Path:
    return VENV / ".installed"


def _wanted() -> str:
    if not LOCK.is_file():
        raise EnvironmentFailed(f"{LOCK} is missing. Is this a whole clone of the repository?")
    return hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _python() -> Path:
    return VENV / "bin" / "python"


def _make() -> None:
    with _locked(CACHE / "environment.lock"):
        if _is_current():  # another run made it while this one waited
            return
        wanted = _wanted()
        _say(f"Setting up the Python environment in {VENV} (once, some minutes at most) ...")
        _mark().unlink(missing_ok=True)
        uv = _find_uv() or _get_uv()
        if not _works(_python()):
            shutil.rmtree(str(VENV), ignore_errors=True)
            _run([uv, "venv", "--allow-existing", "--python", _base(), str(VENV)])
        _say("Installing the packages of requirements.lock ...")
        _run([uv, "pip", "sync", "--python", str(_python()), "--require-hashes", str(LOCK)])
        _mark().write_text(wanted)
        _say("The environment is ready.")


def _base() -> str:
    if _OLDEST <= sys.version_info[:2] < _TOO_NEW:
        return sys.executable
    wanted = ">={}.{},<{}.{}".format(*_OLDEST, *_TOO_NEW)
    _say("Python {}.{} does not fit, looking for {} ...".format(*sys.version_info[:2], wanted))
    return wanted


def _works(python: Path) -> bool:
    check = f"import sys; sys.exit(not {_OLDEST} <= sys.version_info[:2] < {_TOO_NEW})"
    try:
        code = subprocess.call([str(python), "-I", "-c", check], stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return code == 0


def _find_uv() -> str | None:
    places = [shutil.which("uv"), str(_at_home("~/.local/bin/uv")), str(_own_uv())]
    return next((place for place in places if place and os.access(place, os.X_OK)), None)


def _own_uv() -> Path:
    return CACHE / "uv" / "bin" / "uv"


def _get_uv() -> str:
    folder = str(CACHE / "uv")
    _say(f"Installing uv into {folder} (once) ...")
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installer = "curl -LsSf https://astral.sh/uv/install.sh | sh"
    unmanaged = {"UV_UNMANAGED_INSTALL": str(_own_uv().parent)}
    # Debian has Pythons without `ensurepip`, which `venv` needs, and Pythons without pip.
    ways = [
        ([[sys.executable, "-m", "venv", folder], [str(_own_uv().parent / "python"), *pip, "uv"]], {}),
        ([[sys.executable, *pip, "--target", folder, "uv"]], {}),
        ([["sh", "-c", installer]], unmanaged),
    ]
    faults = []
    for commands, settings in ways:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            for command in commands:
                _run(command, settings)
        except EnvironmentFailed as error:
            faults.append(f"- {error}")
        else:
            if os.access(str(_own_uv()), os.X_OK):
                return str(_own_uv())
    raise EnvironmentFailed(_NO_UV.format(faults="\n".join(faults)))


def _prepare_uv() -> None:
    """Set what uv needs on this machine, here and for child processes, which install things with it too."""
    # The repository takes uv's files where the home folder cannot be written.
    for name, usual, own in (
        ("UV_CACHE_DIR", "~/.cache/uv", CACHE / "uv-cache"),
        ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", CACHE / "python"),
    ):
        if not os.environ.get(name) and not _can_write(_at_home(usual)):
            os.environ[name] = str(own)
    if not _uv_has_settings() and _pip_has_settings():
        os.environ.update(_settings_of_pip())


def _uv_has_settings() -> bool:
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS", "UV_CONFIG_FILE")
    folders = (_user_settings(), Path("/etc"))
    return any(os.environ.get(name) for name in names) or any((one / "uv" / "uv.toml").exists() for one in folders)


def _pip_has_settings() -> bool:
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "PIP_CONFIG_FILE")
    files = (
        Path("/etc/pip.conf"),
        Path("/etc/xdg/pip/pip.conf"),
        _at_home("~/.pip/pip.conf"),
        _at_home("~/Library/Application Support/pip/pip.conf"),
        _user_settings() / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    )
    return any(os.environ.get(name) for name in names) or any(file.exists() for file in files)


def _user_settings() -> Path:
    return _at_home(os.environ.get("XDG_CONFIG_HOME") or "~/.config")


def _settings_of_pip() -> dict[str, str]:
    """pip's settings of where packages come from, as variables of uv, which does not read pip's."""
    # pip is asked, as only it knows how its files go together; a Python without pip has no settings for it.
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    found: dict[str, str] = {}
    # The lines of its variables (":env:.index-url='...'") sort before those of its files, and they win.
    for line in sorted(answer.stdout.splitlines()) if answer.returncode == 0 else ():
        key, _, value = line.partition("=")
        found.setdefault(key.split(".")[-1], " ".join(value.strip().strip("'\"").replace("\\n", " ").split()))
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    settings = {name: found[key] for key, name in names.items() if found.get(key) and not os.environ.get(name)}
    if found.get("find-links"):
        settings["UV_FIND_LINKS"] = found["find-links"].replace(" ", ",")
    return settings


def _at_home(path: str) -> Path:
    # Path's own way raises where a user has no home, as in some containers.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)):
            return True
    except OSError:
        return False


def _run(command: list[str], settings: dict[str, str] | None = None) -> None:
    """Run a program, say from time to time that it still runs, and raise with its last words if it fails."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(settings or {})}
            )
        except OSError as error:
            raise EnvironmentFailed(f"{command[0]}: {error}") from error
        started = time.time()
        while True:
            try:
                code = process.wait(_PATIENCE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                _say(f"  still at it after {time.time() - started:.0f} s ...")
            except BaseException:
                process.terminate()
                raise
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
    if code:
        # The first lines name what failed, the last ones how.
        shown = [*lines[:_SHOWN_LINES], "...", *lines[-_SHOWN_LINES:]] if len(lines) > 2 * _SHOWN_LINES else lines
        raise EnvironmentFailed("\n    ".join([" ".join(command), *shown]))


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        raise EnvironmentFailed("This needs Linux or macOS; on Windows use WSL.") from None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError as error:
        raise EnvironmentFailed(f"The repository's folder must be writable: {error}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another run that sets up the environment ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
