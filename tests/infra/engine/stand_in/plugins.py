"""Put the stand-ins where the engine finds them: programs in a folder of the PATH."""

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("gcp", "docker", "docker-build")
_PROVIDER = f"""#!/bin/sh
PYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m tests.infra.engine.stand_in.provider $package
"""
_DOCKER = f"""#!/bin/sh
PYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m tests.infra.engine.stand_in.docker_cli "$@"
"""
# A command on a machine that calls Docker is run here, where Docker's stand-in is. Any other succeeds at once, and
# prints who is logged in or the id of the image that was pulled.
_GCLOUD = """#!/bin/sh
echo "$@" >> "$STAND_IN_CLOUD/gcloud.txt"
case "$*" in
*"pull.sh "*) echo "sha256:$(printf '%s' "$*" | sha256sum | cut -c-64)" ;;
*"docker version"*) echo operator_example_com ;;
*"--non-interactive docker "*)
  while [ $# -gt 1 ]; do shift; done
  sudo() { shift; "$@"; }
  eval "$1" ;;
*) echo operator_example_com ;;
esac
"""


def install(folder: Path, packages: Iterable[str] = PACKAGES) -> Path:
    """Write the provider plugins `pulumi-resource-NAME`, a `gcloud` and a `docker` into a folder, and give it."""
    folder.mkdir(parents=True, exist_ok=True)
    programs = {f"pulumi-resource-{package}": _PROVIDER.replace("$package", package) for package in packages}
    for name, text in {**programs, "gcloud": _GCLOUD, "docker": _DOCKER}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder
