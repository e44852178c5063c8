"""The base images of the project's Dockerfiles, made from what this machine can have where they cannot be pulled.

A stand-in has a name of its own, lest a Docker engine that others use takes it for the real one, and the Dockerfile's
FROM lines are changed to it; nothing else is. What stands in for what:

- `python:3.11...-slim-bookworm`: Debian bookworm by debootstrap with Debian's own Python 3.11 and pip.
- `apache/beam_python3.11_sdk`: Beam's boot program of that version, built from its Go module.
- `python311-template-launcher-base`: Google publishes no source of its launcher, so a script takes its place, which
  runs the file in FLEX_TEMPLATE_PYTHON_PY_FILE with the options that it is given. The real one reads them from a file.

The first one has the machine's own settings of pip, uv and apt and the certificates that it trusts, by which a build
reaches the registries of packages.
"""

import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from app.local.go import find_go, install_go
from tests.docker.engine import IMAGE_LABEL, PREFIX, Engine

CACHE: Final = Path(__file__).parents[2] / ".cache" / "docker"
_REGISTRY: Final = "https://registry-1.docker.io/v2/"
_REGISTRY_SECONDS: Final = 5
_MINUTES: Final = 15
_SUITE: Final = "bookworm"
_PACKAGES: Final = "ca-certificates,python3.11,python3.11-venv,python3-distutils,python3-pip"
_FILES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/uv/uv.toml")
_VARIABLES: Final = re.compile(r"(PIP|UV)_(.*INDEX.*|.*URL|CERT|TRUSTED_HOST|NATIVE_TLS)|SSL_CERT_FILE")
_APT: Final = re.compile(r"^Acquire::(https?::|Check-).*", re.MULTILINE)
_PYTHON: Final = f"""FROM {PREFIX}{_SUITE}
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
    && ln -s /usr/bin/python3.11 /usr/local/bin/python \\
    && ln -s /usr/bin/python3.11 /usr/local/bin/python3
COPY etc /etc
"""
_BEAM: Final = "FROM scratch\nCOPY boot /opt/apache/beam/boot\n"
_LAUNCHER: Final = """FROM scratch
COPY --chmod=0755 python_template_launcher /opt/google/dataflow/python_template_launcher
"""
_LAUNCHER_SCRIPT: Final = """#!/bin/sh
# Stands in for Google's launcher of Flex Templates.
set -eu
exec python "${FLEX_TEMPLATE_PYTHON_PY_FILE:?}" "$@"
"""


class BaseMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """A base image can neither be pulled nor made here; the message says why."""


@cache
def can_pull() -> bool:
    """Whether a registry of images is reached."""
    try:
        urllib.request.urlopen(_REGISTRY, timeout=_REGISTRY_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # it asks who we are
    except OSError:
        return False
    return True


def with_bases(engine: Engine, dockerfile: Path, folder: Path) -> Path:
    """A Dockerfile that can be built here: the one given, or a copy in `folder` in which stand-ins are named.

    Raises BaseMissing.
    """
    if can_pull():
        return dockerfile
    text = dockerfile.read_text()
    for reference in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        text = text.replace(f"FROM {reference}", f"FROM {_stand_in(engine, reference)}")
    copy = folder / "Dockerfile"
    copy.write_text(text)
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    if ignored.exists():
        shutil.copy(ignored, folder)
    return copy


def _stand_in(engine: Engine, reference: str) -> str:
    """The name of the image that stands in for another one, made unless the engine has it."""
    name = PREFIX + reference.partition("@")[0]
    if engine.ask("image", "inspect", name).code == 0:
        return name
    for part, (dockerfile, fill) in _MAKERS.items():
        if part in reference:
            with tempfile.TemporaryDirectory() as folder:
                context = Path(folder)
                fill(engine, context, reference)
                (context / "Dockerfile").write_text(dockerfile + _environment(dockerfile))
                engine.build(context, name)
            warnings.warn(f"{reference} cannot be pulled: {name}, made on this machine, stands in for it", stacklevel=2)
            return name
    raise BaseMissing(f"{reference} cannot be pulled, and nothing stands in for it")


def _environment(dockerfile: str) -> str:
    if dockerfile != _PYTHON:
        return ""
    kept = {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name)}
    return "".join(f'ENV {name}="{value}"\n' for name, value in sorted(kept.items()))


def _fill_python(engine: Engine, context: Path, _: str) -> None:
    engine.run("import", f"--change=LABEL {IMAGE_LABEL}", str(_debian()), f"{PREFIX}{_SUITE}", seconds=300)
    for file in map(Path, _FILES):
        if file.exists():
            copy = context / file.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    settings = context / "etc" / "apt" / "apt.conf.d" / "90machine"
    settings.parent.mkdir(parents=True)
    settings.write_text("\n".join(found[0] for found in _APT.finditer(_said("apt-config", "dump"))) + "\n")


def _debian() -> Path:
    """An archive of a Debian with Python, made once (one to two minutes)."""
    archive = CACHE / f"{_SUITE}-python.tar"
    if archive.exists():
        return archive
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        raise BaseMissing("no image can be pulled, and making a base takes debootstrap and to be root")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        root, packed = Path(folder, "root"), Path(folder, "root.tar")
        mirrors = _said("apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {_SUITE}").split()[:1]
        _said("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root), *mirrors)
        shutil.rmtree(root / "var" / "cache" / "apt")
        _said("tar", "--create", "--numeric-owner", "--exclude=./dev/*", f"--file={packed}", f"--directory={root}", ".")
        packed.replace(archive)
    return archive


def _fill_beam(_: Engine, context: Path, reference: str) -> None:
    version = reference.rpartition(":")[2]
    built = CACHE / f"beam-boot-{version}"
    if not built.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            go = find_go() or install_go(Path(folder))
            module = f"github.com/apache/beam/sdks/v2/python/container@v{version}"
            _said(go.program, "install", module, CGO_ENABLED="0", GOBIN=folder, **go.environment)
            Path(folder, "container").replace(built)
    shutil.copy(built, context / "boot")


def _fill_launcher(_: Engine, context: Path, __: str) -> None:
    (context / "python_template_launcher").write_text(_LAUNCHER_SCRIPT)


_MAKERS: Final[dict[str, tuple[str, Callable[[Engine, Path, str], None]]]] = {
    "python:3.11": (_PYTHON, _fill_python),
    "apache/beam_python3.11_sdk:": (_BEAM, _fill_beam),
    "/python311-template-launcher-base:": (_LAUNCHER, _fill_launcher),
}


def _said(*command: str, **environment: str) -> str:
    """Run a program of this machine. Raises BaseMissing."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_MINUTES * 60, env={**os.environ, **environment}
    )
    if done.returncode:
        raise BaseMissing(f"{' '.join(command)}: {(done.stderr + done.stdout)[-2_000:]}")
    return done.stdout
