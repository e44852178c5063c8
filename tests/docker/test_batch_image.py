"""The batch image as Docker builds it, run as its user by its entry point, with the stores in containers too."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pytest

from app.analytics import QUESTIONS
from app.analytics.sql import compile_question
from app.batch.settings import SERVER_STORES
from app.events.csv_codec import decode
from app.events.generator import Settings, generate
from tests.docker.engine import Engine

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1_800)]

NETWORK = f"shop-tests-{os.getpid()}"
EVENTS = "/events/events.csv"
PATIENCE = 400
# As `infra` runs it.
CONFINED = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=3g", "--memory-swap=3g")
JOB = ("python", "-m", "app.batch.job")
SCHEDULE = ("python", "-m", "app.batch.schedule", "--now", "--staging", "/data/staging", "--memory", "1g")


@dataclass(frozen=True)
class Stores:
    """The three servers in a network, and the variables by which a container in it finds them."""

    engine: Engine
    image: str
    variables: tuple[str, ...]

    def options(self, *more: str) -> list[str]:
        """Of a container of the job."""
        return [*CONFINED, f"--network={NETWORK}", *self.variables, *more, self.image]


@pytest.fixture(scope="module")
def stores(engine: Engine, batch_image: str, stores_image: str) -> Iterator[Stores]:
    with ExitStack() as stack:
        stack.enter_context(engine.network(NETWORK))
        started = {
            store: stack.enter_context(
                engine.container(f"--network={NETWORK}", f"--network-alias={store}", f"--hostname={store}",
                                 stores_image, store)
            )
            for store in SERVER_STORES
        }  # fmt: skip
        variables: list[str] = []
        for container in started.values():
            said = waited(partial(engine.run, "logs", container), "{", engine, container)
            found = json.loads(said[said.index("{") :])
            variables += [f"--env={name}={value}" for name, value in found.items()]
        yield Stores(engine, batch_image, tuple(variables))


def waited(ask: Callable[[], str], sign: str, engine: Engine, container: str) -> str:
    """What is said once the sign is in it. Fails where the container ends first."""
    end = time.monotonic() + PATIENCE
    while sign not in (said := ask()):
        running = engine.run("inspect", "--format={{.State.Running}}", container)
        assert running == "true", engine.ask("logs", container)
        assert time.monotonic() < end, said
        time.sleep(0.5)
    return said


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("events") / "events.csv"
    file.write_bytes(b"".join(generate(Settings(events=10_000, seed=3, bad=0.01, days=3))))
    return file


def test_a_run_in_the_container_fills_the_servers_in_theirs(stores: Stores, events: Path) -> None:
    options = stores.options(f"--volume={events}:{EVENTS}:ro")
    command = (*JOB, "--events", EVENTS, "--staging", "/data/staging", "--stores", ",".join(SERVER_STORES))
    ran = stores.engine.ask("run", "--rm", *options, *command, "--memory", "1g", "--json", seconds=PATIENCE)
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert set(report["stores"]) == set(SERVER_STORES)
    assert not report["not_loaded"]

    with duckdb.connect() as truth:
        truth.execute("SET TimeZone = 'UTC'")
        decoded = decode(events.read_bytes(), source=EVENTS, first_row=1)
        truth.register("decoded", decoded.events)
        truth.execute("CREATE TABLE events AS SELECT DISTINCT ON (event_id) * FROM decoded")
        days = dict(truth.sql("SELECT event_time::DATE::VARCHAR, count(*) FROM events GROUP BY 1").fetchall())
        types = dict(truth.sql("SELECT event_type, count(*) FROM events GROUP BY 1").fetchall())
        user, of_user = truth.sql("SELECT user_id, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC").fetchall()[0]
        answers = {name: len(truth.sql(compile_question(name, "duckdb")).fetchall()) for name in QUESTIONS}
    stored, bad = sum(days.values()), decoded.bad.num_rows
    assert bad > 50
    assert (report["ledger"]["stored"], report["ledger"]["bad"]) == (stored, bad)
    script = Path(__file__).with_name("stores_hold.py").read_text()
    holds = stores.engine.run("run", "--rm", "--interactive", *stores.options(), "python", "-", str(user), text=script)
    assert json.loads(holds) == {
        "redis": {"days": days, "bad": bad},
        "cassandra": {"stored": stored, "bad": bad, "user": of_user},
        "mysql": {"types": types, "answers": answers},
    }


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ((*JOB, "--events", "/events/none.csv", "--stores", "embedded", "--out", "/data/out"), 4),
        ((*JOB, "--events", "/events/none.csv", "--stores", "mysql", "--staging", "/data/staging"), 2),
        (("id", "-u"), 0),
    ],
)
def test_a_command_ends_with_its_own_code(
    engine: Engine, batch_image: str, command: tuple[str, ...], code: int
) -> None:
    ran = engine.ask("run", "--rm", *CONFINED, "--network=none", batch_image, *command)
    assert ran.code == code, ran.err
    if command[0] == "id":
        assert ran.out.strip() == "1099"


def test_the_schedule_runs_at_its_start_is_well_writes_dashboards_and_stops_in_time(stores: Stores) -> None:
    engine = stores.engine
    command = (*SCHEDULE, "--events", "generated:3000", "--dashboards", "/grafana")
    with engine.container(*stores.options("--volume=/grafana/dashboards"), *command) as schedule:
        assert engine.ask("exec", schedule, "python", "-m", "app.batch.status").code == 1  # the first run is awaited
        said = waited(lambda: engine.run("logs", schedule), '"exit_code"', engine, schedule)
        assert '"exit_code": 0' in said, engine.ask("logs", schedule).err
        waited(lambda: engine.ask("logs", schedule).err, "begins at", engine, schedule)
        until_well(engine, schedule)
        dashboards = engine.run("exec", schedule, "ls", "/grafana/dashboards").split()
        assert dashboards
        first = json.loads(engine.run("exec", schedule, "cat", f"/grafana/dashboards/{dashboards[0]}"))
        assert first["time"]["from"].startswith("2019-10-01")
        assert stopped(engine, schedule) == "0"


def until_well(engine: Engine, schedule: str) -> None:
    end = time.monotonic() + PATIENCE
    while engine.ask("exec", schedule, "python", "-m", "app.batch.status").code:
        assert time.monotonic() < end, engine.ask("logs", schedule).err
        time.sleep(0.5)


def stopped(engine: Engine, container: str) -> str:
    """The exit code of a container that is stopped as `infra` does, with a minute before it is killed."""
    engine.run("stop", "--time=60", container)
    return engine.run("inspect", "--format={{.State.ExitCode}}", container)


def test_a_schedule_that_is_stopped_in_the_middle_of_a_run_ends_in_time(stores: Stores) -> None:
    command = (*SCHEDULE, "--events", "generated:200000")
    with stores.engine.container(*stores.options(), *command) as schedule:
        waited(lambda: stores.engine.ask("logs", schedule).err, "reading took", stores.engine, schedule)
        assert stopped(stores.engine, schedule) == "0"


def test_a_schedule_whose_run_failed_says_so_and_is_not_well(stores: Stores) -> None:
    engine = stores.engine
    away = ("--env=MYSQL_HOST=nowhere", "--env=MYSQL_RETRY_SECONDS=1")
    command = (*SCHEDULE, "--events", "generated:1000", "--stores", "mysql")
    with engine.container(*stores.options(*away), *command) as schedule:
        said = waited(lambda: engine.run("logs", schedule), '"exit_code"', engine, schedule)
        assert '"exit_code": 8' in said
        waited(lambda: engine.ask("logs", schedule).err, "tried again", engine, schedule)
        assert engine.ask("exec", schedule, "python", "-m", "app.batch.status").code == 1
