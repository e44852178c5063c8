"""The schedule runs the job each day, reads files once, keeps how a run ended, and stops when it is told to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.batch.base import Base, Source, write_base
from app.batch.errors import BatchError
from app.batch.schedule import after_a_run, files_to_read, next_run
from app.batch.status import FIRST_RUN, PENDING, Status, main, write_status
from app.events.csv_codec import HEADER
from app.local.mysql import mysql_server
from app.local.redis import redis_server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 520


@contextmanager
def schedule(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A running schedule whose status is in `folder`, and what it logs in the file `log` there."""
    command = [sys.executable, "-m", "app.batch.schedule", "--status", str(folder / "status.json"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def status(folder: Path) -> dict[str, object]:
    file = folder / "status.json"
    return dict(json.loads(file.read_text())) if file.exists() else {"pending": True}


def wait_for_a_run(folder: Path, process: subprocess.Popen[str]) -> dict[str, object]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None and status(folder)["pending"]:
        time.sleep(0.2)
    return status(folder)


def wait_for_a_line(folder: Path, line: str) -> None:
    end = time.monotonic() + PATIENCE
    while line not in (folder / "log").read_text():
        assert time.monotonic() < end
        time.sleep(0.2)


def stopped(process: subprocess.Popen[str]) -> str:
    """Stop it as Docker does; what it wrote."""
    process.send_signal(signal.SIGTERM)
    written, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    return written


def check(folder: Path, *options: str) -> int:
    return main(options, folder / "status.json")


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-03-01T02:59:59", "2026-03-01"),
        ("2026-03-01T03:00:00", "2026-03-02"),
        ("2026-12-31T04:00:00", "2027-01-01"),
    ],
)
def test_a_run_is_each_day_at_its_time(now: str, then: str) -> None:
    begins = next_run("03:00", datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert begins == datetime.fromisoformat(f"{then}T03:00:00").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "failures", "then"),
    [("12:00", 0, "03:00"), ("12:00", 1, "12:15"), ("12:00", 3, "12:15"), ("12:00", 4, "03:00"), ("02:50", 1, "03:00")],
)
def test_a_run_that_failed_is_tried_again_some_times_a_day(now: str, failures: int, then: str) -> None:
    begins, counted = after_a_run("03:00", datetime.fromisoformat(f"2026-03-01T{now}:00+00:00"), failures)
    assert (f"{begins:%H:%M}", counted) == (then, 0 if then == "03:00" else failures)


def test_the_first_run_reads_all_files(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x")
    arguments = files_to_read(f"{tmp_path}/*.csv", str(tmp_path / "staging"))
    assert arguments == ["--events", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


def test_a_later_run_adds_files_that_are_new_or_changed(tmp_path: Path) -> None:
    for name in ("known.csv", "changed.csv", "new.csv"):
        (tmp_path / name).write_text("rows")
    sources = (Source(str(tmp_path / "known.csv"), 4), Source(str(tmp_path / "changed.csv"), 3))
    staging = tmp_path / "staging"
    staging.mkdir()
    write_base(str(staging), Base("20260101T000000-000000", "", "run", sources, ()))
    arguments = files_to_read(f"{tmp_path}/*.csv", str(staging))
    assert arguments == ["--add", str(tmp_path / "changed.csv"), str(tmp_path / "new.csv")]


def test_where_there_are_no_files_the_job_says_so(tmp_path: Path) -> None:
    assert files_to_read(f"{tmp_path}/*.csv", str(tmp_path)) == ["--events", f"{tmp_path}/*.csv"]


def test_what_cannot_be_read_of_the_run_before_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text("{}")
    with pytest.raises(BatchError, match="delete it"):
        files_to_read(f"{tmp_path}/*.csv", str(tmp_path))


def test_without_a_schedule_nothing_is_well(tmp_path: Path) -> None:
    assert check(tmp_path) == 1


def test_who_waits_for_the_first_run_learns_whether_it_goes_on_or_has_failed(tmp_path: Path) -> None:
    codes = [check(tmp_path, FIRST_RUN)]
    for status in (Status(pending=True), Status(pending=False, exit_code=8), Status(pending=False, exit_code=0)):
        write_status(tmp_path / "status.json", status)
        codes.append(check(tmp_path, FIRST_RUN))
    assert codes == [PENDING, PENDING, 1, 0]


@pytest.mark.integration
def test_a_failed_run_is_said_and_seen(tmp_path: Path) -> None:
    given = ("--now", "--events", f"{tmp_path}/*.csv", "--stores", "redis")
    variables = {"BATCH_ENVIRONMENT": "test", "REDIS_URL": "redis://127.0.0.1:1/0", "REDIS_PASSWORD": "none"}
    with schedule(tmp_path, *given, **variables) as process:
        assert wait_for_a_run(tmp_path, process) == {"pending": False, "exit_code": 4}
        assert check(tmp_path) == check(tmp_path, FIRST_RUN) == 1
        wait_for_a_line(tmp_path, "exit code 4): it is tried again")
        line = json.loads(stopped(process).splitlines()[-1])
    assert check(tmp_path, FIRST_RUN) == PENDING, "the next schedule has not begun"
    assert line.pop("seconds") > 0
    assert line == {"severity": "ERROR", "event": "batch_run_finished", "environment": "test", "exit_code": 4}


@pytest.mark.integration
def test_until_its_time_it_waits_and_is_well(tmp_path: Path) -> None:
    later = f"{(datetime.now(UTC).hour + 12) % 24:02}:00"
    given = ("--at", later, "--events", "generated:1000", "--dashboards", str(tmp_path / "grafana"))
    with schedule(tmp_path, *given, MYSQL_HOST="") as process:
        assert wait_for_a_run(tmp_path, process) == {"pending": False, "exit_code": None}
        assert check(tmp_path) == 0
        wait_for_a_line(tmp_path, "the next run begins")
        assert stopped(process) == ""
    assert "MYSQL_HOST: set it" in (tmp_path / "log").read_text()
    assert "Mend that, then restart this container or wait for the next run" in (tmp_path / "log").read_text()


@pytest.mark.integration
def test_made_up_events_are_loaded_and_the_next_run_reads_them_no_more(tmp_path: Path) -> None:
    staging = str(tmp_path / "data" / "staging")
    with redis_server() as server:
        given = ("--now", "--events", "generated:500", "--staging", staging, "--stores", "redis", "--memory", "900m")
        with schedule(tmp_path, *given, **server.environment) as process:
            assert check(tmp_path) == 1
            assert wait_for_a_run(tmp_path, process) == {"pending": False, "exit_code": 0}
            assert check(tmp_path) == 0
            assert '"exit_code": 0' in stopped(process)
    assert files_to_read(f"{tmp_path}/data/generated/*.csv.gz", staging) == ["--add"]


@pytest.mark.integration
@pytest.mark.timeout(1_200)
def test_grafanas_dashboards_open_on_the_days_that_the_runs_have_loaded(tmp_path: Path) -> None:
    given = ("--now", "--events", f"{tmp_path}/*.csv", "--staging", str(tmp_path / "data" / "staging"))
    options = ("--stores", "mysql", "--memory", "900m", "--dashboards", str(tmp_path / "grafana"))
    overview = tmp_path / "grafana" / "dashboards" / "shop-overview.json"
    with mysql_server() as server:
        for day, last in (("2021-02-28", "2021-03-01"), ("2021-03-04", "2021-03-05")):
            row = f"{day} 23:30:00 UTC,view,1,1,a.b,c,1.10,1,s\n".encode()
            (tmp_path / f"{day}.csv").write_bytes(HEADER + b"\n" + row)
            (tmp_path / "status.json").unlink(missing_ok=True)
            with schedule(tmp_path, *given, *options, **server.environment) as process:
                assert wait_for_a_run(tmp_path, process) == {"pending": False, "exit_code": 0}
                shown = json.loads(overview.read_text())["time"]
                assert shown == {"from": "2021-02-28T00:00:00.000Z", "to": f"{last}T00:00:00.000Z"}
                stopped(process)
    assert "were not written" not in (tmp_path / "log").read_text()
