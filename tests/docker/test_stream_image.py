"""The streaming image as Docker builds it: publisher, launcher and worker, each as its user, against the emulators."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.local.emulators import Emulators, emulators, environment
from app.local.prism import PrismMissing, get_prism, prism
from tests.docker.engine import Engine
from tests.stream.shop import Shop, blocks, expected, generated, open_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]

LAUNCHER = "/opt/google/dataflow/python_template_launcher"
EVENTS = "/events/events.csv"
PATIENCE = 400
CONFINED = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Emulators]:
    with emulators() as running:
        yield running


@pytest.fixture
def shop(cloud: Emulators) -> Shop:
    return open_shop(cloud)


@pytest.fixture(scope="module")
def image(engine: Engine, stream_image: str, cloud: Emulators, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image with the emulators' addresses, which a worker's container is given by nobody."""
    context = tmp_path_factory.mktemp("emulated")
    variables = "".join(f"ENV {name}={value}\n" for name, value in cloud.environment.items())
    (context / "Dockerfile").write_text(f"FROM {stream_image}\n{variables}")
    return engine.build(context, f"{stream_image}-emulated")


def publish(engine: Engine, image: str, shop: Shop, file: Path) -> None:
    """Publish a file by the container of the publisher."""
    command = ("-m", "app.stream.replayer_command", "--topic", shop.topic, "--block-rows", "250", EVENTS)
    options = (*CONFINED, f"--volume={file}:{EVENTS}:ro", "--entrypoint=python")
    engine.run("run", "--rm", *options, image, *command, seconds=PATIENCE)


def launch(engine: Engine, image: str, *options: str) -> None:
    """Run the pipeline by the launcher of the template."""
    engine.run("run", "--rm", *CONFINED, f"--entrypoint={LAUNCHER}", image, *options, seconds=PATIENCE)


def test_what_the_publisher_s_container_sends_the_launcher_s_puts_into_the_warehouse(
    engine: Engine, image: str, shop: Shop, tmp_path: Path
) -> None:
    data, summary = generated(3_000, bad=0.01)
    file = tmp_path / "events.csv"
    file.write_bytes(data)
    publish(engine, image, shop, file)
    launch(engine, image, *shop.options())
    truth = expected(*blocks(data, source=EVENTS))
    assert truth.ledger == (summary.rows, summary.events, summary.duplicates, summary.bad)
    truth.check(shop)


def test_workers_started_by_the_entry_point_run_the_pipeline(engine: Engine, image: str, shop: Shop) -> None:
    try:
        program = get_prism()
    except PrismMissing as missing:
        pytest.skip(f"unavoidable: {missing}")
    data, _ = generated(2_000, bad=0.01)
    messages = blocks(data)
    shop.publish(messages)
    # Prism starts a container of the image for each worker, as Dataflow does.
    with environment({"DOCKER_HOST": engine.address}), prism(program) as runner:
        in_containers = ("--environment_type=DOCKER", f"--environment_config={image}")
        launch(engine, image, *shop.options("--until_idle=5", runner=[*runner.options, *in_containers]))
    expected(*messages).check(shop)


def test_the_image_runs_as_its_user_and_its_entry_point_is_beam_s(engine: Engine, stream_image: str) -> None:
    as_user = engine.run("run", "--rm", *CONFINED, "--entrypoint=id", stream_image, "-u")
    assert as_user == "1000"
    started = engine.ask("run", "--rm", *CONFINED, stream_image)
    assert started.code == 1
    assert "No id provided" in started.err
