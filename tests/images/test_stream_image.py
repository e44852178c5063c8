"""The streaming image without Docker: its own install in a clean environment, and what it runs."""

import re

import pytest

from tests.images.clean import ROOT, CleanImage, clean_image

pytestmark = pytest.mark.integration

DOCKERFILE = (ROOT / "app" / "stream" / "Dockerfile").read_text()
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


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> CleanImage:
    return clean_image("app/stream/Dockerfile", tmp_path_factory.mktemp("image"))


def test_every_module_imports(image: CleanImage) -> None:
    imported = image.import_all()
    assert imported.returncode == 0, imported.stderr
    assert int(imported.stdout) > 40


def test_the_image_has_what_the_lock_pins_and_no_more(image: CleanImage) -> None:
    installed = image.packages()
    assert set(installed.items()) <= set(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", LOCK, re.MULTILINE))
    assert "apache-beam" in installed
    assert not {"pyspark", "pulumi", "pytest", "altair"} & set(installed)


def test_beam_in_the_lock_is_that_of_the_worker_which_is_copied() -> None:
    beam = re.search(r"^apache-beam==(\S+)", LOCK, re.MULTILINE)
    assert beam
    assert f"FROM apache/beam_python3.11_sdk:{beam[1]} AS beam" in DOCKERFILE


def test_the_publisher_explains_itself(image: CleanImage) -> None:
    shown = image.run("-m", "app.stream.replayer_command", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--checkpoint" in shown.stdout


def test_the_launchers_script_explains_itself(image: CleanImage) -> None:
    script = re.search(r"FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/shop/(\S+)", DOCKERFILE)
    assert script
    shown = image.run(str(image.code / script[1]), "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--subscription" in shown.stdout


def test_the_launcher_lays_out_a_job_that_reads_by_dataflows_own_source(image: CleanImage) -> None:
    laid_out = image.run("-c", _LAUNCH)
    assert laid_out.returncode == 0, laid_out.stderr
    assert "beam:transform:pubsub_read:v1" in laid_out.stdout


def test_settings_that_are_wrong_are_said_before_anything_starts(image: CleanImage) -> None:
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
