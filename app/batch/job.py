"""The batch job: event files in, answers in a store out.

    scripts/batch --events 2019-Oct.csv.gz gs://shop-events/2019-11-*.csv --out build/batch
    scripts/batch --add 2019-12-01.csv.gz --out build/batch --stores embedded,mysql,redis,cassandra

`--help` has more examples, what a run leaves, and the exit codes.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.text import Text

from app.batch.errors import BatchError
from app.batch.progress import Progress
from app.batch.run import Result, run_batch
from app.batch.settings import STORE_NAMES, Settings
from app.batch.stores.registry import make_stores
from app.events.ledger import LedgerError
from app.events.time_bounds import EARLIEST, LATEST

LEDGER_EXIT = 3
NOT_LOADED_EXIT = 8
INTERRUPTED_EXIT = 130

_EPILOG = """
examples:
  scripts/batch --events 2019-Oct.csv.gz 2019-Nov.csv.gz --out build/batch
  scripts/batch --events 'gs://shop-events/2019-10-*.csv' --out build/batch --memory 4g
  scripts/batch --events 2019-10-*.csv --out build/batch --stores embedded,mysql,redis,cassandra
a day more, read alone; a file of a path that was read before replaces what it brought then (backfill):
  scripts/batch --add 2019-11-01.csv --out build/batch
  scripts/batch --add 2019-11-01-corrected.csv --replace 2019-11-01.csv --out build/batch
load a store that was down, without reading a file again:
  scripts/batch --add --out build/batch --stores embedded,redis

what is in --out afterwards:
  events/, bad_events/  Parquet        answers/QUESTION.parquet
  batch.duckdb          a table for each answer; ledger, sources, runs, not_loaded
  ledger.json           rows read = stored + duplicates + bad; not_loaded: store -> why

A store shows a run at the end, all at once. A run that was killed leaves the results of the one before: run it again.
Addresses and secrets of the stores come from the environment, see README.md.

exit codes:
  0  done: the ledger adds up, and every store holds what it says
  1  another error                     5  the disk is full
  2  wrong arguments or settings       6  Spark or Java is missing
  3  the ledger does not add up, or a store holds something else; others may be loaded
  4  an event file is missing or damaged
  7  another run is writing to --out or to a store
  8  a store was not loaded; ledger.json says which, and the others are loaded
130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job from the command line; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        with _logging_to(console):
            settings = _settings(given)
            result = run_batch(settings, make_stores(settings, settings.stores), Progress(console))
    except BatchError as error:
        _tell(console, "error:", str(error))
        return error.exit_code
    except LedgerError as error:
        _tell(console, "error:", str(error))
        return LEDGER_EXIT
    except KeyboardInterrupt:
        console.print("interrupted; the store is as it was before")
        return INTERRUPTED_EXIT
    _report(result, settings, as_json=given.json)
    for store, why in result.not_loaded.items():
        _tell(console, "not loaded:", f"{store}: {why}")
    if result.ledger_failed:
        return LEDGER_EXIT
    return NOT_LOADED_EXIT if result.not_loaded else 0


@contextmanager
def _logging_to(console: Console) -> Iterator[None]:
    """Show log messages there. Were the handler left to the end of the interpreter, DuckDB would complain of it."""
    handler = RichHandler(console=console, show_path=False)
    # Py4J logs each lost connection there, with a stack trace, and raises an error for it besides.
    handler.addFilter(lambda record: record.name != "root")
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    for noisy in ("py4j", "google", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _tell(console: Console, what: str, message: str) -> None:
    """Print a message as it is: square brackets in it are no markup."""
    console.print(Text.assemble((what, "red"), " ", message), soft_wrap=True)


def _report(result: Result, settings: Settings, *, as_json: bool) -> None:
    """Print what the run did: JSON for a program, a sentence for a person."""
    ledger, seconds = result.ledger, sum(result.seconds.values())
    if as_json:
        report = {
            "run": result.run.id,
            "ledger": asdict(ledger),
            "seconds": result.seconds,
            "stores": result.store_seconds,
            "not_loaded": result.not_loaded,
            "out": str(settings.out) if settings.out else None,
        }
        sys.stdout.write(json.dumps(report) + "\n")
        return
    loaded = [store for store in settings.stores if store not in result.not_loaded]
    sys.stdout.write(
        f"read {ledger.read:,} = stored {ledger.stored:,} + duplicates {ledger.duplicates:,} + bad {ledger.bad:,} rows"
        f" in {seconds:.1f} s; loaded {', '.join(loaded)}{f'; see {settings.out}' if settings.out else ''}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/batch",
        description="Read event files with PySpark, keep the events as Parquet, and answer every question.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Settings(events=("-",), out=Path())
    files = parser.add_mutually_exclusive_group(required=True)
    files.add_argument(
        "--events", nargs="+", metavar="FILE", help="paths, globs or gs:// addresses: all events there are"
    )
    files.add_argument("--add", nargs="*", metavar="FILE", help="files to add to those that the run before has read")
    parser.add_argument(
        "--replace", nargs="+", default=[], metavar="FILE", help="with --add: take out what these files brought"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder of the embedded store")
    parser.add_argument(
        "--stores",
        default=",".join(default.stores),
        metavar="NAMES",
        help=f"of {','.join(STORE_NAMES)} (embedded)",
    )
    parser.add_argument(
        "--staging", metavar="DIR", help="folder or gs:// address for the files of the run and the next (in --out)"
    )
    parser.add_argument("--master", default=default.master, metavar="URL", help="Spark's master (local[*])")
    parser.add_argument("--memory", default=default.memory, metavar="SIZE", help="heap of Spark's driver (3g)")
    parser.add_argument(
        "--earliest", default=default.earliest, metavar="DATE", help=f"first day of events ({EARLIEST})"
    )
    parser.add_argument(
        "--latest", default=default.latest, metavar="DATE", help=f"last day of events, or days ahead of now ({LATEST})"
    )
    parser.add_argument("--split-mb", default=default.split_mb, type=int, metavar="N", help="MiB a task reads (32)")
    parser.add_argument(
        "--shuffle-partitions",
        type=int,
        metavar="N",
        help="of Spark after a shuffle (twice the cores, or the cluster's)",
    )
    parser.add_argument(
        "--questions-at-once", default=default.questions_at_once, type=int, metavar="N", help="in parallel (2)"
    )
    parser.add_argument(
        "--gcs-connector", default="", metavar="JAR", help="gcs-connector-3.1.3-shaded.jar, for a --staging in gs://"
    )
    parser.add_argument(
        "--spark", action="append", default=[], metavar="KEY=VALUE", help="a further setting of Spark; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _settings(given: argparse.Namespace) -> Settings:
    listed = ("json", "events", "add", "replace", "stores", "spark")
    values = {name: value for name, value in vars(given).items() if name not in listed}
    return Settings(
        events=tuple(given.events or given.add or ()),
        add=given.add is not None,
        replace=tuple(given.replace),
        stores=tuple(name.strip() for name in given.stores.split(",")),
        spark=dict(pair.partition("=")[::2] for pair in given.spark),
        **values,
    )


if __name__ == "__main__":
    sys.exit(main())
