"""An image without Docker: the packages that its Dockerfile installs in an environment that holds nothing else, and the
code that its build sees."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.local.uv import find_uv
from infra.build_context import seen

ROOT = Path(__file__).resolve().parents[2]
_IMPORT_ALL = """
import importlib, pkgutil, sys, traceback, app
names = [one.name for one in pkgutil.walk_packages(app.__path__, "app.", onerror=lambda name: None)]
faults = 0
for name in names:
    if not name.endswith("__main__"):
        try:
            importlib.import_module(name)
        except BaseException:
            faults += 1
            sys.stderr.write(name + ": " + traceback.format_exc(limit=-1))
print(len(names))
sys.exit(faults)
"""


@dataclass(frozen=True)
class CleanImage:
    """What would be in an image: an environment, and the code, with the variables of Python that the image sets."""

    venv: Path
    code: Path
    variables: Mapping[str, str]

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        """Of this machine it has the programs alone."""
        return {
            "PATH": os.pathsep.join([str(self.venv / "bin"), os.environ["PATH"]]),
            "HOME": str(self.code.parent),
            **self.variables,
            "PYTHONPATH": str(self.code),
            "PYSPARK_PYTHON": str(self.python),
        }

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python."""
        return subprocess.run(
            [str(self.python), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.code.parent,
            env={**self.environment, **variables},
        )

    def import_all(self) -> subprocess.CompletedProcess[str]:
        """Import every module of the code; prints how many there are."""
        return self.run("-c", _IMPORT_ALL)

    def packages(self) -> dict[str, str]:
        """Versions of what is installed, by name."""
        command = [find_uv(), "pip", "list", "--format=json", "--python", str(self.venv)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        return {package["name"]: package["version"] for package in json.loads(shown.stdout)}


def clean_image(dockerfile: str, folder: Path) -> CleanImage:
    """Make what a Dockerfile makes, by its own line of installation."""
    text = (ROOT / dockerfile).read_text()
    context, venv, uv = folder / "context", folder / "venv", find_uv()
    for file in seen(ROOT, dockerfile):
        copy = context / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    install = re.search(r"uv pip install ((?:.*\\\n)*?.*requirements\.lock)", text)
    assert install
    options = shlex.split(install[1].replace("\\\n", " ").replace("/tmp/build", str(context)))
    # The machine's cache and its bytecode are as good; the image has neither.
    for only_in_an_image in ("--system", "--no-cache", "--compile-bytecode"):
        options.remove(only_in_an_image)
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(venv), *options], check=True)
    variables = dict(re.findall(r"^(?:ENV|   ) (PYTHON\w+)=(\S+)", text, re.MULTILINE))
    return CleanImage(venv, context, variables)
