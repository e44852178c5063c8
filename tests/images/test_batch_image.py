"""The image's Dockerfile, without Docker: the same packages in an environment of their own start all commands."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.images.clean import ROOT, CleanImage, clean_image

DOCKERFILE = (ROOT / "app" / "batch" / "Dockerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
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


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> CleanImage:
    return clean_image("app/batch/Dockerfile", tmp_path_factory.mktemp("image"))


@pytest.mark.integration
def test_every_module_imports(image: CleanImage) -> None:
    imported = image.import_all()
    assert imported.returncode == 0, imported.stderr
    assert int(imported.stdout) > 100


@pytest.mark.integration
def test_the_image_has_what_the_lock_pins_and_no_more(image: CleanImage) -> None:
    installed = image.packages()
    assert set(installed.items()) <= set(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE))
    assert "pyspark" in installed
    assert not {"apache-beam", "pulumi", "pytest", "altair"} & set(installed)


@pytest.mark.integration
@pytest.mark.parametrize(
    "module", ["app.batch.job", "app.batch.dataproc_job", "app.batch.schedule", "app.dashboards.grafana"]
)
def test_each_command_explains_itself(image: CleanImage, module: str) -> None:
    shown = image.run("-m", module, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--help" in shown.stdout
