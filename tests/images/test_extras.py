"""Each extra of pyproject.toml names the packages that its code imports, and nothing else."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from infra.build_context import seen
from tests.images.clean import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEVER_IMPORTED = {
    "gcsfs": "fsspec takes it for gs:// addresses",
    "packaging": "Ibis imports it without asking for it",
    "pip": "Pulumi's language host asks it what is installed",
    "pyarrow-hotfix": "Ibis imports it without asking for it",
}
# Each client of app/gcp imports its library when it is made; the batch job makes that of Cloud Storage alone.
LEFT_TO_OTHERS = {"batch": ["grpc"], "stream": [], "infra": []}
CODE = {
    "batch": seen(ROOT, "app/batch/Dockerfile"),
    "stream": seen(ROOT, "app/stream/Dockerfile"),
    # Of app/ it takes schemas, SQL, settings and dashboards; what those import more they import when they run.
    "infra": [
        *(ROOT / "infra").rglob("*.py"),
        *(ROOT / "app" / "analytics").rglob("*.py"),
        *(ROOT / "app" / "dashboards" / "grafana").glob("[!l_]*.py"),
    ],
}


@pytest.mark.parametrize("extra", CODE)
def test_an_extra_names_what_its_code_imports_and_nothing_else(extra: str, tmp_path: Path) -> None:
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]
    for file in CODE[extra]:
        copy = tmp_path / "code" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    # What all extras share, not each needs.
    not_imported = [*NEVER_IMPORTED, *(map(_name, PROJECT["dependencies"]) if extra == "infra" else ())]
    ignored = f"DEP002={'|'.join(not_imported)},DEP003={'|'.join(LEFT_TO_OTHERS[extra]) or 'none'}"
    (tmp_path / "wanted.txt").write_text("\n".join(wanted))
    (tmp_path / "pyproject.toml").write_text("[tool.deptry]\n")
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "deptry", "--no-ansi", "--config", "pyproject.toml"),
            *("--requirements-files", "wanted.txt", "--known-first-party", "app", "--known-first-party", "infra"),
            *("--per-rule-ignores", ignored, "code"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def _name(requirement: str) -> str:
    return requirement.partition(">")[0]
