"""Runs the batch job each day, as the process of its container, and keeps how the last run ended.

    python -m app.batch.schedule --at 03:00 --events gs://shop-events/events/ --staging /data/staging

The first run reads all files; a later one reads those that are new or changed, and adds them. `run_report.py` says what
is logged of each run, `status.py` what the container's health check sees. A run that failed is tried again a little
later, since stores that start with the machine, or a file that is still being written, come right by themselves. With
`--dashboards` Grafana's dashboards are written at the start and after each run, so that they open on the days that are
loaded.
"""

import argparse
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from app.batch.base import read_base
from app.batch.errors import BatchError, SettingsError
from app.batch.run_report import report_run
from app.batch.settings import SERVER_STORES
from app.batch.status import STATUS, Status, write_status
from app.events.files import EventFileError, describe, expand
from app.events.generator_command import main as generate
from app.events.time_bounds import EARLIEST, LATEST

GENERATED: Final = "generated:"
"""As `--events`, before the number of events to make up."""
STORES: Final = ",".join(SERVER_STORES)
_AGAIN_AFTER: Final = timedelta(minutes=15)
_TIMES_AGAIN: Final = 3
_LOOK_SECONDS: Final = 1
_PATIENCE_SECONDS: Final = 45
_SEED: Final = "7"

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the schedule until it is stopped; the exit code."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        return _keep_schedule(given, stop)
    finally:
        # Who starts it again is not to see how a run of the one before ended.
        given.status.unlink(missing_ok=True)


def _keep_schedule(given: argparse.Namespace, stop: threading.Event) -> int:
    write_status(given.status, Status(pending=given.now))
    _write_dashboards(given, stop)
    begins = datetime.now(UTC) if given.now else next_run(given.at, datetime.now(UTC))
    code = failures = 0
    while True:
        what = f"the run failed (exit code {code}): it is tried again" if failures else "the next run begins"
        _log.info("%s at %s", what, begins.isoformat(timespec="seconds"))
        if stop.wait(max((begins - datetime.now(UTC)).total_seconds(), 0)):
            return 0
        code = _run(given, stop)
        _write_dashboards(given, stop)
        if stop.is_set():
            return 0
        write_status(given.status, Status(pending=False, exit_code=code))
        failures = failures + 1 if code not in (0, SettingsError.exit_code) else 0
        begins, failures = after_a_run(given.at, datetime.now(UTC), failures)


def after_a_run(at: str, now: datetime, failures: int) -> tuple[datetime, int]:
    """When the next run begins after so many failures in turn, and how many of them count then: none at time `at`."""
    regular, soon = next_run(at, now), now + _AGAIN_AFTER
    return (soon, failures) if 0 < failures <= _TIMES_AGAIN and soon < regular else (regular, 0)


def next_run(at: str, now: datetime) -> datetime:
    """The next time of day `at`, such as 03:00, in UTC."""
    hour, minute = map(int, at.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def files_to_read(source: str, staging: str) -> list[str]:
    """The job's arguments for what it has not read yet: `--events` and all files, or `--add` and the new ones.

    Raises:
        BatchError: what the run before left cannot be read.
    """
    base = read_base(staging, "")
    try:
        files = [describe(path) for path in expand([source])]
    except EventFileError:
        return ["--events", source]  # the job says what is wrong
    if base is None:
        return ["--events", *(file.path for file in files)]
    known = {(known.path, known.size) for known in base.sources}
    return ["--add", *(file.path for file in files if (file.path, file.size) not in known)]


def _run(given: argparse.Namespace, stop: threading.Event) -> int:
    """Run the job once, as a process of its own; its exit code."""
    started = time.monotonic()
    try:
        source = _generated(given.events, Path(given.staging)) if given.events.startswith(GENERATED) else given.events
        files = files_to_read(source, given.staging)
        code = _process("app.batch.job", [*files, "--staging", given.staging, *_options(given)], stop)
    except BatchError as error:
        _log.error("%s", error)
        code = error.exit_code
    if not stop.is_set():
        report_run(code, time.monotonic() - started)
    return code


def _options(given: argparse.Namespace) -> list[str]:
    days = ["--earliest", given.earliest, "--latest", given.latest]
    return ["--stores", given.stores, "--memory", given.memory, *days]


def _write_dashboards(given: argparse.Namespace, stop: threading.Event) -> None:
    """Have Grafana's dashboards open on the days that are loaded. Where that fails, the run counts as it ended."""
    if given.dashboards is None or stop.is_set():
        return
    code = _process("app.dashboards.grafana", ["--out", given.dashboards, "--loaded"], stop)
    if code and not stop.is_set():
        _log.warning(
            "Grafana's dashboards in %s were not written (exit code %d, the reason is above), so that they may open on "
            "other days than those that are loaded. Mend that, then restart this container or wait for the next run",
            given.dashboards,
            code,
        )


def _process(module: str, arguments: Sequence[str], stop: threading.Event) -> int:
    """Run a command of the project until it ends or is to be stopped; its exit code."""
    with subprocess.Popen([sys.executable, "-m", module, *arguments]) as process:  # noqa: S603 - the project's own
        while process.poll() is None:
            if stop.wait(_LOOK_SECONDS):
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE_SECONDS)
                process.kill()
        return process.returncode


def _generated(source: str, staging: Path) -> str:
    """A file of made-up events, always the same."""
    events = source.removeprefix(GENERATED)
    file = staging.with_name("generated") / f"{events}.csv.gz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_name("unfinished.csv.gz")
        code = generate(["--events", events, "--seed", _SEED, "--out", str(unfinished), "--force"])
        if code:
            raise BatchError(f"no events could be made up in {file.parent}: exit code {code}")
        unfinished.replace(file)
    return str(file)


def _time_of_day(text: str) -> str:
    try:
        datetime.strptime(text, "%H:%M")  # noqa: DTZ007 - a time of day has no zone
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of day; for example 03:00") from error
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.batch.schedule", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--events", required=True, metavar="FILES", help="a path, a glob, a gs:// address, or generated:NUMBER"
    )
    parser.add_argument("--at", type=_time_of_day, default="03:00", metavar="HH:MM", help="when, in UTC (03:00)")
    parser.add_argument("--now", action="store_true", help="run once at the start too")
    parser.add_argument(
        "--staging", default="staging", metavar="DIR", help="folder of the events between runs (staging)"
    )
    parser.add_argument("--stores", default=STORES, metavar="NAMES", help=f"what is loaded ({STORES})")
    parser.add_argument("--memory", default="3g", metavar="SIZE", help="heap of Spark's driver (3g)")
    parser.add_argument("--earliest", default=EARLIEST, metavar="DATE", help=f"first day of events ({EARLIEST})")
    parser.add_argument(
        "--latest", default=LATEST, metavar="DATE", help=f"last day of events, or days ahead of now ({LATEST})"
    )
    parser.add_argument(
        "--dashboards", metavar="DIR", help="folder in whose dashboards/ those of Grafana are kept up to date (none)"
    )
    parser.add_argument("--status", type=Path, default=STATUS, metavar="FILE", help=f"({STATUS})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
