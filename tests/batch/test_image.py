"""The image's Dockerfile, without Docker: the same packages in an environment of their own start all commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.uv import find_uv

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "app" / "batch" / "Dockerfile").read_text()
STEPS = DOCKERFILE.replace("\\\n", " ")


def test_the_base_is_pinned_and_the_user_is_not_root() -> None:
    assert re.findall(r"^FROM (.*)$", DOCKERFILE, re.MULTILINE) == re.findall(
        r"^FROM (python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64})$", DOCKERFILE, re.MULTILINE
    )
    assert re.search(r"^USER 1099:1099$", DOCKERFILE, re.MULTILINE)


def test_no_secret_and_no_whole_repository_is_copied() -> None:
    copied = re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE)
    assert copied == ["pyproject.toml requirements.lock /tmp/build/", "--chmod=0755 app /opt/shop/app"]


def test_uv_is_taken_from_the_lock_with_its_hashes(tmp_path: Path) -> None:
    [script] = re.findall(r"awk '(.*?)' /tmp/build/requirements.lock", STEPS)
    taken = subprocess.run(
        ["awk", script, str(ROOT / "requirements.lock")], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert re.fullmatch(r"uv==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", taken)


@pytest.mark.integration
def test_the_batch_extra_alone_starts_all_commands(tmp_path: Path) -> None:
    [options] = re.findall(r"uv pip install --system --no-cache --compile-bytecode (.*?)\s+&&", STEPS)
    options = options.replace("/tmp/build/", f"{ROOT}/")
    uv, python = str(find_uv()), tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True, timeout=120)
    install = [uv, "pip", "install", "--quiet", "--link-mode=symlink", "--python", str(python), *options.split()]
    subprocess.run(install, check=True, timeout=500)
    shutil.copytree(ROOT / "app", tmp_path / "shop" / "app", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "shop"), "HOME": str(tmp_path)}
    for module in ("app.batch.job", "app.batch.dataproc_job", "app.batch.schedule", "app.dashboards.grafana"):
        started = subprocess.run(
            [str(python), "-m", module, "--help"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert started.returncode == 0, started.stderr
    stores = (
        "from app.batch.stores.registry import STORES; from app.batch.settings import Settings; "
        "from app.dashboards.grafana.loaded import loaded_period; import pyspark, duckdb"
    )
    subprocess.run([str(python), "-c", stores], cwd=tmp_path, env=environment, check=True, timeout=120)
    listed = subprocess.run(
        [uv, "pip", "list", "--python", str(python)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "pyspark" in listed
    assert not re.search(r"^(apache-beam|pulumi|pytest|altair)\b", listed, re.MULTILINE)
