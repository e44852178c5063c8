"""The command that uploads event files: `scripts/upload`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from app.events.byte_streams import EventFileError
from app.events.cloud_objects import SCHEME
from app.events.files import expand
from app.events.upload import Uploaded, UploadError, object_urls, upload

DONE, FAILED, INTERRUPTED = 0, 1, 130
_EPILOG: Final = """
example:
  scripts/upload data/2019-Oct.csv.gz data/2019-Nov.csv.gz gs://shop-events/raw/

A file that is there already, with the same size and checksum, is skipped: after an interruption run it again.
STORAGE_EMULATOR_HOST sends it to an emulator. Exit code: 0 all is there, 1 one failed, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        _check_local(options.files)
        paths = expand(options.files)
        done = _upload_all(paths, object_urls(paths, options.target), console)
    except (EventFileError, UploadError) as error:
        sys.stderr.write(f"upload: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("upload: interrupted; run it again to continue\n")
        return INTERRUPTED
    for one in done:
        said = "there already" if one.skipped else f"{one.size:,} bytes"
        sys.stdout.write(json.dumps(asdict(one)) + "\n" if options.json else f"{one.url}  {said}\n")
    return DONE


def _check_local(paths: Sequence[str]) -> None:
    cloud = next((path for path in paths if path.startswith(SCHEME)), None)
    if cloud:
        raise UploadError(f"{cloud} is in Cloud Storage already; name local files, and the target last")


def _upload_all(paths: Sequence[str], urls: Sequence[str], console: Console) -> list[Uploaded]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    done = []
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("uploading", total=sum(Path(path).stat().st_size for path in paths))
        for path, url in zip(paths, urls, strict=True):
            progress.update(task, description=Path(path).name)
            done.append(upload(path, url, lambda size: progress.advance(task, size)))
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="upload",
        description="Upload event files to Cloud Storage.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="local path or glob")
    parser.add_argument("target", metavar="gs://BUCKET/PREFIX/", help="where to: each file keeps its name")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file")
    return parser
