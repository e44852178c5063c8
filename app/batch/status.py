"""How the last run of the schedule ended, for the container's health check.

    python -m app.batch.status

Exit code 0 while all is well; 1 where the last run failed, or the first is waited for and has not ended. It imports
nothing of the project, since it is asked all the time.
"""

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

STATUS: Final = Path(tempfile.gettempdir()) / "batch-status.json"


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
    """The status; None where there is none."""
    try:
        return Status(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def main(file: Path = STATUS) -> int:
    """Say whether all is well; the exit code."""
    status = read_status(file)
    return 0 if status and status.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
