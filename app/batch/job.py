"""The batch job: event files in, answers in a store out.

    scripts/batch --events 2019-Oct.csv.gz gs://shop-events/2019-11-*.csv --out build/batch

`--help` has more examples, what a run leaves, and the exit codes.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from app.batch.errors import BatchError
from app.batch.progress import Progress
from app.batch.run import Result, run_batch
from app.batch.settings import Settings
from app.batch.stores.embedded import EmbeddedStore
from app.events.ledger import LedgerError

LEDGER_EXIT = 3
INTERRUPTED_EXIT = 130

_EPILOG = """
examples:
  scripts/batch --events 2019-Oct.csv.gz 2019-Nov.csv.gz --out build/batch
  scripts/batch --events 'gs://shop-events/2019-10-*.csv' --out build/batch --memory 4g

what is in --out afterwards:
  events/, bad_events/  Parquet        answers/QUESTION.parquet
  batch.duckdb          a table for each answer; ledger, sources, runs
  ledger.json           rows read = stored + duplicates + bad

A run shows its results at its end, all at once. A run that was killed leaves nothing: run it again.

exit codes:
  0  done, and the ledger adds up      4  an event file is missing or damaged
  1  another error                     5  the disk is full
  2  wrong arguments                   6  Spark or Java is missing
  3  the ledger does not add up        7  another run is writing to --out
130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job from the command line; the exit code."""
    parser = _parser()
    given = parser.parse_args(arguments)
    console = Console(stderr=True)
    handler = RichHandler(console=console, show_path=False)
    # Py4J logs each lost connection there, with a stack trace, and raises an error for it besides.
    handler.addFilter(lambda record: record.name != "root")
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    for noisy in ("py4j", "google", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        settings = _settings(given)
        result = run_batch(settings, [EmbeddedStore(settings.out)], Progress(console))
    except BatchError as error:
        console.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        return error.exit_code
    except LedgerError as error:
        console.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        return LEDGER_EXIT
    except KeyboardInterrupt:
        console.print("interrupted; the store is as it was before")
        return INTERRUPTED_EXIT
    _report(result, settings, as_json=given.json)
    return 0


def _report(result: Result, settings: Settings, *, as_json: bool) -> None:
    """Print what the run did: JSON for a program, a sentence for a person."""
    ledger, seconds = result.ledger, sum(result.seconds.values())
    if as_json:
        report = {"run": result.run.id, "ledger": asdict(ledger), "seconds": result.seconds, "out": str(settings.out)}
        sys.stdout.write(json.dumps(report) + "\n")
        return
    sys.stdout.write(
        f"read {ledger.read:,} = stored {ledger.stored:,} + duplicates {ledger.duplicates:,} + bad {ledger.bad:,} rows"
        f" in {seconds:.1f} s; see {settings.out}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/batch",
        description="Read event files with PySpark, keep the events as Parquet, and answer every question.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Settings(events=("-",), out=Path())
    parser.add_argument("--events", nargs="+", required=True, metavar="FILE", help="paths, globs or gs:// addresses")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of the results")
    parser.add_argument("--staging", metavar="DIR", help="folder or gs:// address for files of the run (in --out)")
    parser.add_argument("--facts", default=default.facts, metavar="disk|memory", help="where facts are kept (disk)")
    parser.add_argument("--master", default=default.master, metavar="URL", help="Spark's master (local[*])")
    parser.add_argument("--memory", default=default.memory, metavar="SIZE", help="heap of Spark's driver (3g)")
    parser.add_argument("--split-mb", default=default.split_mb, type=int, metavar="N", help="MiB a task reads (32)")
    parser.add_argument(
        "--shuffle-partitions", default=default.shuffle_partitions, type=int, metavar="N", help="after a shuffle (4)"
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
    values = {name: value for name, value in vars(given).items() if name not in ("json", "events", "spark")}
    spark = dict(pair.partition("=")[::2] for pair in given.spark)
    return Settings(events=tuple(given.events), spark=spark, **values)


if __name__ == "__main__":
    sys.exit(main())
