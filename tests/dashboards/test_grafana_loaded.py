"""The dashboards open on the days that are in MySQL, whichever these are, and Grafana can read them all the while."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.batch.errors import StoreError
from app.batch.stores.mysql.settings import MysqlSettings
from app.dashboards.grafana import PUBLIC_DATA, Period, dashboard_files
from app.dashboards.grafana.__main__ import main
from app.dashboards.grafana.files import write_files
from app.dashboards.grafana.loaded import loaded_period
from app.local.mysql import MysqlServer, mysql_server
from app.local.process import LOOPBACK, free_port
from tests.batch.stores import mysql_loads

ROOT = Path(__file__).resolve().parents[2]
NOTHING = {"from": "2019-10-01T00:00:00.000Z", "to": "2019-12-01T00:00:00.000Z"}


@pytest.fixture(scope="module")
def mysql() -> Iterator[MysqlServer]:
    with mysql_server() as server:
        yield server


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with mysql_loads.spark_here(tmp_path_factory.mktemp("spark")) as session:
        yield session


def load(server: MysqlServer, spark: Any, folder: Path, *times: str) -> None:
    """Load an event at each time, and nothing else."""
    rows = "".join(f"{time} UTC,view,1,1,a.b,,1.10,{number},s{number}\n" for number, time in enumerate(times))
    mysql_loads.load(mysql_loads.settings_of(server), spark, mysql_loads.prepared(folder, rows.encode()))


def opened(out: Path) -> list[dict[str, str]]:
    """The different times that the dashboards in a folder open on."""
    found = [json.loads(path.read_text())["time"] for path in (out / "dashboards").glob("*.json")]
    assert len(found) == 4
    return [time for number, time in enumerate(found) if time not in found[:number]]


@pytest.mark.integration
def test_the_dashboards_open_on_exactly_the_days_that_are_loaded(
    mysql: MysqlServer, spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mysql.environment.items():
        monkeypatch.setenv(name, value)
    refresh = ["--out", str(tmp_path), "--loaded"]
    assert main(refresh) == 0
    assert opened(tmp_path) == [NOTHING], "nothing was loaded yet"
    load(mysql, spark, tmp_path / "one", "2021-02-27 23:59:59", "2021-02-28 12:00:00", "2021-02-28 23:00:00")
    assert main(refresh) == 0
    assert opened(tmp_path) == [{"from": "2021-02-27T00:00:00.000Z", "to": "2021-03-01T00:00:00.000Z"}]
    load(mysql, spark, tmp_path / "more", "2020-12-31 00:00:00", "2021-02-28 12:00:00", "2021-03-02 00:00:00")
    assert main(refresh) == 0
    assert opened(tmp_path) == [{"from": "2020-12-31T00:00:00.000Z", "to": "2021-03-03T00:00:00.000Z"}]
    load(mysql, spark, tmp_path / "other", "2024-02-29 12:00:00")
    assert main(refresh) == 0
    assert opened(tmp_path) == [{"from": "2024-02-29T00:00:00.000Z", "to": "2024-03-01T00:00:00.000Z"}]
    load(mysql, spark, tmp_path / "none")
    assert main(refresh) == 0
    assert opened(tmp_path) == [NOTHING], "a run without events is loaded"
    assert not (tmp_path / "provisioning").exists(), "Grafana has its data sources already"


@pytest.mark.integration
def test_loads_of_other_machines_are_noticed_by_one_who_only_reads(
    mysql: MysqlServer, spark: Any, tmp_path: Path
) -> None:
    reader = {"MYSQL_USER": mysql.grafana.name, "MYSQL_PASSWORD": mysql.grafana.password}
    command = [sys.executable, "-m", "app.dashboards.grafana", "--out", str(tmp_path), "--loaded", "--every", "0.01"]
    load(mysql, spark, tmp_path / "one", "2021-02-27 23:59:59")
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **mysql.environment, **reader}) as process:
        try:
            wait_until_opened(tmp_path, {"from": "2021-02-27T00:00:00.000Z", "to": "2021-02-28T00:00:00.000Z"})
            load(mysql, spark, tmp_path / "two", "2022-05-01 12:00:00")
            wait_until_opened(tmp_path, {"from": "2022-05-01T00:00:00.000Z", "to": "2022-05-02T00:00:00.000Z"})
        finally:
            process.kill()


def wait_until_opened(out: Path, days: dict[str, str]) -> None:
    end = time.monotonic() + 60
    while len(list((out / "dashboards").glob("*.json"))) < 4 or opened(out) != [days]:
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.integration
def test_who_is_refused_is_told_so_and_the_dashboards_stay(
    mysql: MysqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**mysql.environment, "MYSQL_PASSWORD": "wrong"}.items():
        monkeypatch.setenv(name, value)
    day = Period(datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 1, 2, tzinfo=UTC))
    write_files(dashboard_files(day), tmp_path)
    assert main(["--out", str(tmp_path), "--loaded"]) == 8
    assert "refuses the user 'loader'" in capsys.readouterr().err
    assert opened(tmp_path) == [{"from": "2021-01-01T00:00:00.000Z", "to": "2021-01-02T00:00:00.000Z"}]


def test_a_server_that_does_not_answer_is_tried_for_as_long_as_is_set(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StoreError, match="does not answer"):
        loaded_period(MysqlSettings(LOOPBACK, free_port(), password="none", retry_seconds=3))
    assert [record.message for record in caplog.records if "trying again" in record.message]


def test_without_mysqls_variables_the_command_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MYSQL_HOST", raising=False)
    assert main(["--out", str(tmp_path), "--loaded"]) == 2
    assert "MYSQL_HOST: set it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--loaded", "--from", "2020-01-01"])
    assert "leave out --from and --to" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--every", "10"])
    assert "--every goes with --loaded" in capsys.readouterr().err


def test_a_file_is_the_old_one_or_the_new_one_and_never_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(dashboard_files(PUBLIC_DATA), tmp_path)
    whole = Path.write_text

    def cut(path: Path, text: str, **options: Any) -> int:
        whole(path, text[:100], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", cut)
    with pytest.raises(OSError, match="No space"):
        write_files(dashboard_files(PUBLIC_DATA), tmp_path)
    assert opened(tmp_path) == [NOTHING]


def test_what_is_unfinished_is_where_grafana_does_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grafana's reader of dashboards leaves out hidden folders, and breaks where another file vanishes as it looks."""
    seen: set[Path] = set()
    whole = Path.write_text

    def look(path: Path, text: str, **options: Any) -> int:
        seen.add(path.relative_to(tmp_path))
        return whole(path, text, **options)

    monkeypatch.setattr(Path, "write_text", look)
    write_files(dashboard_files(PUBLIC_DATA), tmp_path)
    assert seen == {Path("dashboards", ".unfinished", Path(name).name) for name in dashboard_files(PUBLIC_DATA)}
