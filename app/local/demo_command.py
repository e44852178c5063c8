"""The demo's command line.

scripts/demo                                      200,000 generated events
scripts/demo --events 2019-Oct.csv.gz 2019-Nov.csv.gz
"""

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from google.api_core.exceptions import GoogleAPICallError
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from app.batch.errors import BatchError
from app.batch.progress import Progress
from app.batch.settings import SERVER_STORES
from app.dashboards.report import read_results, write_report
from app.dashboards.tableau import AnswersError, ExtractError, build_workbook
from app.events.files import EventFileError, describe, expand
from app.events.generator import Settings as GeneratorSettings
from app.events.generator import SettingsError, generate
from app.events.ledger import LedgerError
from app.local.bigquery_environment import EnvironmentFailed
from app.local.demo import RESULTS, Demo, Outcome
from app.local.emulators import emulators
from app.local.java import Java, JavaMissing, get_java
from app.local.job import JobError
from app.local.process import ServerError
from app.local.store_servers import starting_store_servers
from app.local.workspace import exit_on_signals, workspace
from app.output_folder import NotOursError, claim

DIFFERENT_EXIT: Final = 4
NO_JAVA_EXIT: Final = 5
LEDGER_EXIT: Final = 3
_NO_JAVA: Final = "The batch half was left out: there is no Java for Spark. "
_EPILOG = """
examples:
  scripts/demo
  scripts/demo --rows 1_000_000 --seed 11
  scripts/demo --events 2019-Oct.csv.gz 2019-Nov.csv.gz --out build/october

what is in --out afterwards:
  report.html           open it in a browser; it needs no network
  Shop.twbx             open it in Tableau Desktop; Shop-live.twb, datasources/: the same on a warehouse in BigQuery
  ledger.json           rows read = stored + duplicates + bad, for each pipeline
  parity.json           question -> whether both pipelines gave the same answer
  answers/stream/, answers/batch/   QUESTION.parquet
  batch.duckdb          the batch job's answers and ledger as tables

exit codes:
  0  done: the ledgers add up and both pipelines agree on every question
  1  a part failed          3  a ledger does not add up
  2  wrong arguments        4  the pipelines disagree on a question
130  interrupted            5  the batch half was left out, for want of Java
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code."""
    given = _parser().parse_args(arguments)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=console, show_path=False)]
    )
    logging.getLogger("app").setLevel(logging.INFO)
    try:
        with exit_on_signals():
            return _run(given, console)
    except KeyboardInterrupt:
        console.print("Interrupted; everything that was started is stopped.")
        return 130
    except LedgerError as error:
        _tell(console, error)
        return LEDGER_EXIT
    except (EventFileError, NotOursError, SettingsError) as error:
        _tell(console, error)
        return 2
    except (JobError, BatchError, ServerError, EnvironmentFailed, GoogleAPICallError, OSError) as error:
        _tell(console, error)
        return 1


def _tell(console: Console, error: Exception) -> None:
    """Print it as it is: square brackets in it are no markup."""
    console.print(str(error), style="red", markup=False, highlight=False)


def _run(given: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    out = Path(given.out)
    claim(out, RESULTS)
    progress = Progress(console)
    with ExitStack() as stack:
        folder = stack.enter_context(workspace())
        files = _files(given, folder, progress)
        _leave(files, out)
        with progress.stage("java"):
            java, note = _java()
        if note:
            console.print(note, style="yellow", markup=False)
        servers = stack.enter_context(starting_store_servers(SERVER_STORES if java else ()))
        with progress.stage("emulators"):
            running = stack.enter_context(emulators(given.pubsub, heap=_heap(files)))
        demo = Demo(running, files, out, folder, progress)
        if note:
            demo.outcome.notes.append(note)
        try:
            outcome = demo.run(java, servers)
        finally:
            demo.facts(shlex.join(["scripts/demo", *sys.argv[1:]])).write(out)
        with progress.stage("report"):
            report = write_report(read_results(out), out / "report.html")
        with progress.stage("tableau"):
            workbook, lack = _workbook(out)
    _show(outcome, console)
    if workbook:
        console.print(f"{workbook.resolve()}", highlight=False)
    else:
        console.print(lack, style="yellow", markup=False)
    console.print(f"{report.resolve()}  ({time.monotonic() - began:.0f} s)", style="bold", highlight=False)
    if any(outcome.differences.values()):
        return DIFFERENT_EXIT
    return 0 if java else NO_JAVA_EXIT


def _files(given: argparse.Namespace, folder: Path, progress: Progress) -> list[Path]:
    if given.events:
        return [Path(describe(path).path) for path in expand(given.events)]
    settings = GeneratorSettings(events=given.rows, seed=given.seed, bad=given.bad)
    file = folder / "generated.csv"
    with progress.stage("generate"), file.open("wb") as out:
        out.writelines(generate(settings))
    return [file]


def _leave(files: Sequence[Path], out: Path) -> None:
    """Refuse to read what the run would replace. Raises NotOursError."""
    replaced = {(out / name).resolve() for name in RESULTS}
    for file in files:
        if replaced & {file.resolve(), *file.resolve().parents}:
            raise NotOursError(
                f"{file} is where the results go, which would replace it. Move it, or give another --out."
            )


def _java() -> tuple[Java | None, str]:
    try:
        return get_java(system_packages=True), ""
    except JavaMissing as error:
        return None, f"{_NO_JAVA}{error}"


def _workbook(out: Path) -> tuple[Path | None, str]:
    """Build the workbook for Tableau, or say why there is none."""
    try:
        return build_workbook(out, out), ""
    except (AnswersError, ExtractError) as error:
        return None, f"There is no workbook for Tableau: {error}"


def _heap(files: Sequence[Path]) -> str:
    """A heap for Google's Pub/Sub emulator that holds all messages, which it keeps after they are acknowledged."""
    megabytes = sum(describe(str(file)).size * (8 if describe(str(file)).is_packed else 1) for file in files) >> 20
    return f"{1024 + 4 * megabytes}m"


def _show(outcome: Outcome, console: Console) -> None:
    ledgers = Table("ledger", "read", "=  stored", "+  duplicates", "+  bad", title="Every row is accounted for")
    for name, ledger in outcome.ledgers.items():
        counts = (ledger.read, ledger.stored, ledger.duplicates, ledger.bad)
        ledgers.add_row(name, *(f"{count:,}" for count in counts))
    console.print(ledgers)
    if outcome.differences:
        parity = Table("question", "stream and batch", title="Both pipelines give the same answers")
        for name, found in outcome.differences.items():
            parity.add_row(name, "; ".join(found) or "equal", style="red" if found else "")
        console.print(parity)
    if outcome.stores:
        stores = Table("store", "holds", "answers", title="The stores of the batch pipeline")
        for read in outcome.stores:
            stores.add_row(read.store, read.holds, read.answers)
        console.print(stores)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Send the events of a store through both pipelines on this machine and report what they found.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", nargs="+", metavar="FILE", help="event files to take in place of generated events")
    parser.add_argument("--rows", type=int, default=200_000, help="rows to generate (default: 200,000)")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another store (default: 7)")
    parser.add_argument(
        "--bad", type=float, default=0.001, help="share of generated rows that are bad (default: 0.001)"
    )
    parser.add_argument("--out", default="build/demo", metavar="DIR", help="where results go (default: build/demo)")
    parser.add_argument(
        "--pubsub", choices=("google", "packaged"), help="the Pub/Sub emulator (default: Google's where it is)"
    )
    return parser
