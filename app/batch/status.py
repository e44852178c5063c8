"""How the last run of the schedule ended, for the container's health check, and for who waits for the first run.

    python -m app.batch.status [--first-run]

Exit code 0 while all is well; 1 where the last run failed; 75 where the first is waited for and has not ended, which is
1 too for the health check. It imports nothing of the project, since it is asked all the time.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

STATUS: Final = Path(tempfile.gettempdir()) / "batch-status.json"
FIRST_RUN: Final = "--first-run"
PENDING: Final = os.EX_TEMPFAIL
"""Exit code with `FIRST_RUN` where the first run has not ended."""


@dataclass(frozen=True)
class Status:
    """What the health check looks at."""

    pending: bool
    """Whether the first run is waited for and has not ended."""
    exit_code: int | None = None
    """Of the last run."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is to be done about it."""
        return not self.pending and not self.exit_code


def write_status(file: Path, status: Status) -> None:
    """Show another status, at once."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(asdict(status)))
    unfinished.replace(file)


def read_status(file: Path) -> Status | None:
    """The status; None where there is none: the schedule has just started."""
    try:
        return Status(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def main(arguments: Sequence[str] | None = None, file: Path = STATUS) -> int:
    """Say whether all is well; the exit code."""
    status = read_status(file)
    if FIRST_RUN in (sys.argv[1:] if arguments is None else arguments) and (status is None or status.pending):
        return PENDING
    return 0 if status and status.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
