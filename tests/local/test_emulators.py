"""All emulators together, and the environment of the BigQuery emulator."""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest
from google.cloud.bigquery import LoadJobConfig, SchemaField

from app.gcp.clients import bigquery_client, project, publisher_client, storage_client, uses_emulators
from app.local import bigquery_environment
from app.local.bigquery_environment import EnvironmentFailed, install
from app.local.emulators import emulators, environment
from app.local.uv import UvMissing

REPOSITORY = Path(__file__).parents[2]
VARIABLES = (
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
    "BIGQUERY_EMULATOR_HOST",
    "BIGQUERY_STORAGE_EMULATOR_HOST",
)


@pytest.mark.integration
def test_all_start_at_once_and_every_client_uses_them_without_any_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://before:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "intranet")
    for name in VARIABLES:
        if name != "STORAGE_EMULATOR_HOST":
            monkeypatch.delenv(name, raising=False)
    with emulators("packaged") as running:
        assert uses_emulators()
        assert project() == "demo-project"
        assert {os.environ[name] for name in VARIABLES} <= set(running.environment.values())
        running.gcs.create_bucket("events")
        storage_client().bucket("events").blob("day.csv").upload_from_string("product_id,price\n1,2.50\n2,0.00\n")
        topic = running.pubsub.create_topic("events")
        assert publisher_client().publish(topic, b"row").result(timeout=10)
        client = bigquery_client()
        client.create_dataset("shop")
        columns = [SchemaField("product_id", "INT64"), SchemaField("price", "NUMERIC")]
        client.load_table_from_uri(
            "gs://events/day.csv",
            "demo-project.shop.prices",
            job_config=LoadJobConfig(schema=columns, source_format="CSV", skip_leading_rows=1),
        ).result()
        rows = client.query("SELECT SUM(price) AS total FROM `demo-project.shop.prices`").result()
        assert [float(row.total) for row in rows] == [2.5]
    assert os.environ["STORAGE_EMULATOR_HOST"] == "http://before:1"
    assert os.environ["no_proxy"] == "intranet"
    assert "PUBSUB_EMULATOR_HOST" not in os.environ
    for one in (running.pubsub.server, running.gcs.server, running.bigquery.server):
        assert not one.is_running
        assert not one.log.parent.exists()


@pytest.mark.integration
def test_nothing_is_left_of_any_emulator_when_their_owner_is_killed() -> None:
    code = """
        import time
        from app.local.emulators import emulators
        with emulators() as running:
            servers = (running.pubsub.server, running.gcs.server, running.bigquery.server)
            print(running.gcs.folder.parent, *(server.pid for server in servers), flush=True)
            time.sleep(600)
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        folder, *pids = owner.stdout.readline().split()
        servers = [psutil.Process(int(pid)) for pid in pids]
        assert len(servers) == 3
        assert Path(folder).exists()
        owner.kill()
    _, alive = psutil.wait_procs(servers, timeout=10)
    assert not alive
    until = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(folder).exists()


def test_the_environment_is_restored_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "before")
    monkeypatch.delenv("ADDED", raising=False)

    def use_and_fail() -> None:
        with environment({"KEPT": "during", "ADDED": "during"}):
            assert (os.environ["KEPT"], os.environ["ADDED"]) == ("during", "during")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert os.environ["KEPT"] == "before"
    assert "ADDED" not in os.environ


@pytest.mark.integration
def test_bigquerys_environment_is_made_from_its_lock_and_only_once(tmp_path: Path) -> None:
    made = tmp_path / "with space" / "bqemulator"
    python = install(made)
    assert python.exists()
    assert list(made.glob(".duckdb/extensions/*/*/spatial.duckdb_extension"))
    before = python.lstat().st_mtime_ns, (made / ".installed").stat().st_mtime_ns
    assert install(made) == python
    assert (python.lstat().st_mtime_ns, (made / ".installed").stat().st_mtime_ns) == before


@pytest.mark.integration
def test_a_lock_that_cannot_be_installed_is_an_error_with_the_installers_words(tmp_path: Path) -> None:
    lock = tmp_path / "wrong.lock"
    shutil.copy(bigquery_environment.LOCK, lock)
    lock.write_text("bqemulator==1.4.0\n")
    with pytest.raises(EnvironmentFailed, match="hash"):
        install(tmp_path / "environment", lock)
    assert not (tmp_path / "environment" / ".installed").exists()


def test_without_uv_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_uv() -> str:
        raise UvMissing("The program uv is missing. Install it: python3 -m pip install uv")

    monkeypatch.setattr(bigquery_environment, "find_uv", no_uv)
    with pytest.raises(EnvironmentFailed, match="python3 -m pip install uv"):
        install(tmp_path / "environment")
