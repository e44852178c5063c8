"""The streaming image without Docker: its own install in a clean environment, and what it runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.local.uv import find_uv

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "app" / "stream" / "Dockerfile").read_text()
IGNORED = (ROOT / "app" / "stream" / "Dockerfile.dockerignore").read_text().splitlines()
LOCK = (ROOT / "requirements.lock").read_text()

_LAUNCH = """
from app.stream.pipeline import run
import apache_beam.runners.dataflow.internal.apiclient as dataflow

kept = []
job_of = dataflow.Job
dataflow.Job = lambda options, proto: kept.append(proto) or job_of(options, proto)
run([
    "--runner=DataflowRunner", "--dry_run=True", "--no_auth", "--project=demo-project", "--region=europe-west1",
    "--job_name=dev-events", "--temp_location=gs://shop-staging/temp", "--staging_location=gs://shop-staging/staging",
    "--enable_streaming_engine", "--max_num_workers=2", "--sdk_container_image=shop/stream",
    "--subscription=projects/demo-project/subscriptions/dev-events", "--dataset=demo-project.dev_shop",
    "--archive=gs://shop-archive/events", "--count_every_seconds=10", "--keep_days=7",
    "--archive_every_seconds=300", "--shards=4",
])
print(sorted({step.spec.urn for step in kept[0].components.transforms.values()}))
"""


@dataclass(frozen=True)
class Image:
    """What would be in the image: an environment, and the code."""

    venv: Path
    code: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python as the image would."""
        variables = dict(re.findall(r"^(?:ENV|   ) (PYTHON\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
        return subprocess.run(
            [str(self.venv / "bin" / "python"), *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.code.parent,
            env={"PATH": os.environ["PATH"], **variables, "PYTHONPATH": str(self.code), "PYTHONDONTWRITEBYTECODE": "1"},
        )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("image")
    context, venv, uv = folder / "context", folder / "venv", find_uv()
    context.mkdir()
    for seen in (line[1:].rstrip("/") for line in IGNORED if line.startswith("!")):
        copy = context / seen
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / seen).is_dir():
            shutil.copytree(ROOT / seen, copy, ignore=shutil.ignore_patterns("__pycache__", "Dockerfile*"))
        else:
            shutil.copy(ROOT / seen, copy)
    install = re.search(r"uv pip install ((?:.*\\\n)*?.*requirements\.lock)", DOCKERFILE)
    assert install
    options = shlex.split(install[1].replace("\\\n", " ").replace("/tmp/build", str(context)))
    # The machine's cache and its bytecode are as good; the image has neither.
    for only_in_an_image in ("--system", "--no-cache", "--compile-bytecode"):
        options.remove(only_in_an_image)
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(venv), *options], check=True)
    return Image(venv, context)


def test_the_image_has_what_the_lock_pins_and_no_more(image: Image) -> None:
    shown = subprocess.run(
        [find_uv(), "pip", "list", "--format=json", "--python", str(image.venv)],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {(package["name"], package["version"]) for package in json.loads(shown.stdout)}
    assert installed <= set(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE))
    names = {name for name, _ in installed}
    assert "apache-beam" in names
    assert not {"pyspark", "pulumi", "pytest", "altair"} & names


def test_beam_in_the_lock_is_that_of_the_worker_which_is_copied() -> None:
    beam = re.search(r"^apache-beam==(\S+)", LOCK, re.MULTILINE)
    assert beam
    assert f"FROM apache/beam_python3.11_sdk:{beam[1]} AS beam" in DOCKERFILE


def test_the_publisher_explains_itself(image: Image) -> None:
    shown = image.run("-m", "app.stream.replayer_command", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--checkpoint" in shown.stdout


def test_the_launchers_script_explains_itself(image: Image) -> None:
    script = re.search(r"FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/shop/(\S+)", DOCKERFILE)
    assert script
    shown = image.run(str(image.code / script[1]), "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--subscription" in shown.stdout


def test_the_launcher_lays_out_a_job_that_reads_by_dataflows_own_source(image: Image) -> None:
    laid_out = image.run("-c", _LAUNCH)
    assert laid_out.returncode == 0, laid_out.stderr
    assert "beam:transform:pubsub_read:v1" in laid_out.stdout


def test_settings_that_are_wrong_are_said_before_anything_starts(image: Image) -> None:
    ended = image.run("-m", "app.stream", "--runner=DataflowRunner", "--subscription=events", "--dataset=shop")
    assert ended.returncode == 2, ended.stderr
    assert "subscription is 'events'" in ended.stderr


def test_the_image_runs_as_a_user_that_is_not_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users
    assert not {"root", "0", "0:0"} & set(users)
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nRUN ")


def test_neither_index_nor_mirror_is_named() -> None:
    assert not re.search(r"https?://|--index|--extra-index|--find-links", DOCKERFILE)
