"""The command that generates a store's events: `scripts/generate`."""

import argparse
import gzip
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Final, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.events.generator import Settings, SettingsError, Summary, generate

DONE, NOT_WRITTEN, WRONG_SETTING, INTERRUPTED = 0, 1, 2, 130
STANDARD_OUTPUT: Final = "-"
_GZIP_LEVEL: Final = 4
_EPILOG: Final = """
examples:
  scripts/generate --events 1_000_000 --seed 7 --out build/events.csv.gz
  scripts/generate --events 200_000 --bad 0.001 --days 14 > events.csv

The last line on standard error is a summary as JSON: rows = events + duplicates + bad.
Exit code: 0 done, 1 the output could not be written, 2 a setting is wrong, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        settings = Settings(
            events=options.events,
            seed=options.seed,
            bad=options.bad,
            start=options.start,
            days=options.days,
            crlf=options.crlf,
            header=not options.no_header,
        )
        with _output(options.out, force=options.force) as file:
            summary = _write(settings, file, console)
    except SettingsError as error:
        _say(f"generate: {error}")
        return WRONG_SETTING
    except BrokenPipeError:
        # The reader has seen enough; without this, Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_WRITTEN
    except OSError as error:
        _say(f"generate: cannot write {options.out}: {error.strerror or error}; choose another --out or make room")
        return NOT_WRITTEN
    except KeyboardInterrupt:
        _say("generate: interrupted, nothing kept")
        return INTERRUPTED
    _say(summary.to_json())
    return DONE


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _write(settings: Settings, file: IO[bytes], console: Console) -> Summary:
    """Write all chunks to `file`, showing how far it is where a person is looking."""
    generation = generate(settings)
    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("generating", total=settings.events)
        for chunk in generation:
            file.write(chunk)
            progress.advance(task, chunk.count(b"\n"))
    return generation.summary


@contextmanager
def _output(out: str, *, force: bool) -> Iterator[IO[bytes]]:
    """Standard output, or a file that appears under its name only when it is complete."""
    if out == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() and not path.is_file():
        # A device or a pipe is written to; a file renamed to its name would take its place.
        with path.open("wb") as raw, _packed_if_gzip(path, raw) as file:
            yield file
        return
    if path.exists() and not force:
        raise SettingsError(f"{out} exists; give another --out, or --force to have it replaced")
    # A link stays a link: the file that it names is what is replaced.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as raw, _packed_if_gzip(path, raw) as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _packed_if_gzip(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    """`raw`, or what packs into it where the path ends in .gz."""
    if path.suffix != ".gz":
        yield raw
        return
    # No name and no time inside, so that the same settings give the same file.
    with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
        yield cast(IO[bytes], packed)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2019-10-01") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/generate",
        description="Generate the events of a believable store as CSV, in time order, from a seed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, required=True, metavar="N", help="rows in all, for example 1_000_000")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same bytes (default 0)")
    parser.add_argument("--bad", type=float, default=0.0, metavar="SHARE", help="share of bad rows (default 0)")
    parser.add_argument("--start", type=_date, default=date(2019, 10, 1), metavar="DATE", help="default 2019-10-01")
    parser.add_argument("--days", type=int, default=31, metavar="N", help="days that the events span (default 31)")
    parser.add_argument("--out", default=STANDARD_OUTPUT, metavar="FILE", help="a file, packed if it ends in .gz, or -")
    parser.add_argument("--force", action="store_true", help="replace the file where there is one")
    parser.add_argument("--crlf", action="store_true", help="end lines with CRLF, as the published October file does")
    parser.add_argument("--no-header", action="store_true", help="leave out the line of column names")
    return parser
