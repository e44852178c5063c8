"""Put the stand-ins where the engine finds plugins: programs `pulumi-resource-NAME` in a folder of the PATH."""

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = ("gcp", "docker", "docker-build")


def install(folder: Path, packages: Iterable[str] = PACKAGES) -> Path:
    """Write the programs into a folder and give it."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        program = folder / f"pulumi-resource-{package}"
        program.write_text(
            "#!/bin/sh\n"
            f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -P -m tests.infra.engine.stand_in.provider {package}\n'
        )
        program.chmod(0o755)
    return folder
