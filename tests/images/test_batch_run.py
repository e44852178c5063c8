"""A whole run in the batch image's installation, by its schedule: three servers loaded, dashboards written, a stop."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.analytics import QUESTIONS
from app.batch.settings import SERVER_STORES
from app.batch.status import Status, read_status
from app.events.generator import Settings, generate
from app.local.java import get_java
from app.local.store_servers import StoreServers, store_servers
from tests.batch.held import hold
from tests.images.clean import CleanImage, clean_image

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]

_PATIENCE_SECONDS = 900
_STOP_SECONDS = 60
"""As long as Docker waits before it kills the job's container."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> CleanImage:
    return clean_image("app/batch/Dockerfile", tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def servers() -> Iterator[StoreServers]:
    with store_servers() as running:
        assert not running.missing
        yield running


@contextmanager
def schedule(image: CleanImage, folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The image's schedule, which runs once at its start; what it says goes to `folder`/log."""
    command = [
        *(str(image.python), "-m", "app.batch.schedule", "--now", "--memory", "1g"),
        *("--status", str(folder / "status"), "--staging", str(folder / "data" / "staging")),
        *("--stores", ",".join(SERVER_STORES), "--dashboards", str(folder / "grafana"), *arguments),
    ]
    environment = image.environment | get_java().environment | variables
    (folder / "data").mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def first_run(process: subprocess.Popen[bytes], folder: Path) -> Status:
    """How it ended."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        status = read_status(folder / "status")
        if status and not status.pending:
            return status
        time.sleep(0.2)
    raise AssertionError((folder / "log").read_text()[-5_000:])


def test_the_schedule_fills_three_servers_and_the_dashboards_and_stops_when_it_is_told_to(
    image: CleanImage, servers: StoreServers, tmp_path: Path
) -> None:
    generation = generate(Settings(events=5_000, seed=4, bad=0.01, days=2))
    (tmp_path / "events.csv").write_bytes(b"".join(generation))
    made = generation.summary
    with schedule(image, tmp_path, "--events", str(tmp_path / "events.csv"), **servers.environment) as process:
        status = first_run(process, tmp_path)
        assert status.is_well, (tmp_path / "log").read_text()[-5_000:]
        held = hold(servers.running)
        assert sum(map(int, held["redis"]["{shop}:days"].values())) == made.events
        assert held["cassandra"]["visits"]["event_count"] == made.events
        assert len(held["cassandra"]["bad_events"]) == made.bad
        events = QUESTIONS["event_types"].schema.names.index("events")
        assert sum(int(row[events]) for row in held["mysql"]["event_types"]) == made.events
        overview = json.loads((tmp_path / "grafana" / "dashboards" / "shop-overview.json").read_text())
        assert overview["time"]["from"].startswith("2019-10-01")
        process.send_signal(signal.SIGTERM)
        assert process.wait(_STOP_SECONDS) == 0


def test_a_run_that_fails_is_told_by_the_health_check(image: CleanImage, tmp_path: Path) -> None:
    nowhere = {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": "1", "MYSQL_PASSWORD": "none", "MYSQL_RETRY_SECONDS": "1"}
    with schedule(image, tmp_path, "--events", str(tmp_path / "*.csv"), "--stores", "mysql", **nowhere) as process:
        assert not first_run(process, tmp_path).is_well
        assert "*.csv" in (tmp_path / "log").read_text()
