"""The command that replays event files: `scripts/replay`."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Final

from rich.console import Console

from app.events.files import EventFileError, describe, expand
from app.events.time_bounds import EARLIEST, LATEST
from app.stream.replayer import (
    CheckpointError,
    PublishError,
    ReplaySettings,
    ReplaySettingsError,
    ReplaySummary,
    replay,
)
from app.stream.replayer_progress import set_up_logging, shown

DONE, FAILED, WRONG_SETTING, SIGNALLED = 0, 1, 2, 128
_VARIABLES: Final = "REPLAY_"
_EPILOG: Final = """
examples:
  scripts/replay --topic projects/demo-project/topics/events data/2019-Oct.csv.gz
  scripts/replay --topic projects/shop/topics/events --speed 60 --start 2019-10-01T08:00Z --end 2019-10-01T20:00Z \\
      --checkpoint gs://shop-state/replay.json 'gs://shop-events/2019-*.csv'

Every option can be given by the environment too: REPLAY_TOPIC, REPLAY_SPEED, REPLAY_BLOCK_ROWS ...; the files as
REPLAY_FILES, separated by blanks. PUBSUB_EMULATOR_HOST and STORAGE_EMULATOR_HOST send it to emulators.

Exit code: 0 all is published; 1 a file, Pub/Sub or the checkpoint failed; 2 a setting is wrong;
143 stopped by SIGTERM, 130 by Ctrl-C, the checkpoint written: the same command continues.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    set_up_logging(console)
    try:
        settings = ReplaySettings(
            topic=options.topic or "",
            files=tuple(options.files),
            speed=options.speed,
            start=options.start,
            end=options.end,
            earliest=options.earliest,
            latest=options.latest,
            block_rows=options.block_rows,
            block_bytes=options.block_bytes,
            block_ms=options.block_ms,
            checkpoint=options.checkpoint,
            retry_seconds=options.retry_seconds,
        )
    except ReplaySettingsError as error:
        return _fail(error, WRONG_SETTING)
    with _stopped_by_signals() as (stop, received):
        try:
            with shown(console, _total_bytes(settings.files) if console.is_terminal else None) as watch:
                summary = replay(settings, stop=stop, watch=watch)
        except (EventFileError, PublishError, CheckpointError) as error:
            return _fail(error, FAILED)
    sys.stdout.write((summary.to_json() if options.json else _sentence(summary)) + "\n")
    return DONE if summary.finished or not received else SIGNALLED + received[0]


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"replay: {error}\n")
    return code


def _sentence(summary: ReplaySummary) -> str:
    new = summary.rows - summary.resumed_rows
    text = f"{'Published' if summary.finished else 'Stopped after'} {summary.rows:,} rows in {summary.blocks:,} blocks"
    if summary.resumed_rows:
        text += f", {new:,} of them in this run"
    text += f", {summary.seconds:,.1f} s, {summary.rows_per_second:,.0f} rows/s"
    if summary.skipped:
        text += f"; {summary.skipped:,} rows outside of the period"
    if summary.retries:
        text += f"; {summary.retries:,} retries"
    if summary.first_event_time:
        text += f"; events from {summary.first_event_time} to {summary.last_event_time}"
    return text


def _total_bytes(patterns: Sequence[str]) -> int | None:
    """The size of all files; None where one is gzip, so that its rows' bytes are not known."""
    files = [describe(path) for path in expand(patterns)]
    return None if any(file.is_packed for file in files) else sum(file.size for file in files)


@contextmanager
def _stopped_by_signals() -> Iterator[tuple[threading.Event, list[int]]]:
    """An event that SIGTERM and Ctrl-C set, and which of them came. A second one ends the program at once."""
    stop = threading.Event()
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop, received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="replay",
        description="Publish event files to Pub/Sub in blocks of rows, in order, and continue after a crash.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="path, glob, gs:// URL, or gs:// prefix ending with /")
    parser.add_argument("--topic", help="where to publish: projects/PROJECT/topics/TOPIC")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=float, metavar="X", help="pace of the original times x X; 60: an hour a minute")
    pace.add_argument("--as-fast-as-possible", action="store_true", help="do not wait (the default)")
    parser.add_argument("--start", type=_time, metavar="TIME", help="skip events before it, e.g. 2019-10-01T08:00Z")
    parser.add_argument("--end", type=_time, metavar="TIME", help="skip events from it on")
    parser.add_argument(
        "--earliest", default=EARLIEST, metavar="DATE", help="first plausible day of an event (%(default)s)"
    )
    parser.add_argument(
        "--latest", default=LATEST, metavar="DATE", help="last plausible day, or days ahead of now (%(default)s)"
    )
    parser.add_argument("--block-rows", type=int, default=500, metavar="N", help="most rows a message (%(default)s)")
    parser.add_argument(
        "--block-bytes", type=int, default=1 << 20, metavar="N", help="most bytes a message (%(default)s)"
    )
    parser.add_argument(
        "--block-ms",
        type=int,
        default=1000,
        metavar="N",
        help="longest wait to fill a message, at a pace (%(default)s)",
    )
    parser.add_argument("--checkpoint", metavar="PATH", help="file or gs:// object that says where to continue")
    parser.add_argument(
        "--retry-seconds", type=float, metavar="S", help="give up when Pub/Sub is not reached for so long (never)"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    _take_environment(parser)
    return parser


def _take_environment(parser: argparse.ArgumentParser) -> None:
    """Make REPLAY_... variables the defaults of the options; what is given on the command line counts."""
    names = (
        "topic",
        "speed",
        "start",
        "end",
        "earliest",
        "latest",
        "block_rows",
        "block_bytes",
        "block_ms",
        "checkpoint",
        "retry_seconds",
    )
    given = {name: os.environ.get(_VARIABLES + name.upper()) for name in names}
    parser.set_defaults(**{name: value for name, value in given.items() if value})
    parser.set_defaults(files=os.environ.get(_VARIABLES + "FILES", "").split())


if __name__ == "__main__":
    sys.exit(main())
