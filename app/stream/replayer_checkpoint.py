"""How far a replay is, kept in a file or an object, so that a replay that died continues without losing a row.

A checkpoint names the last row that Pub/Sub has acknowledged. It is written after the acknowledgement, so that a
replay that continues repeats rows at most; the pipeline counts a repeated row once.
"""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from app.events.cloud_objects import SCHEME
from app.events.files import EventFile
from app.gcp.clients import ProjectMissingError, storage_client

_VERSION: Final = 1
_LOCAL_SECONDS: Final = 1.0
_CLOUD_SECONDS: Final = 5.0  # an object takes one write a second

_log = logging.getLogger(__name__)


class CheckpointError(Exception):
    """A checkpoint cannot be read or written, or belongs to another replay."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next row stands."""

    file: int = 0
    """Index among the replay's files."""
    row: int = 1
    offset: int = 0
    """In bytes, unpacked; 0 is the beginning of the file, its header included."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What makes two replays the same one. Pace and sizes of blocks may change between them."""

    topic: str
    files: tuple[EventFile, ...]
    start: str | None
    end: str | None


@dataclass(slots=True)
class Tally:
    """What Pub/Sub has acknowledged since the replay first began, by earlier runs too. `position` is the next row."""

    position: Position = field(default_factory=Position)
    rows: list[int] = field(default_factory=list)
    """By file."""
    skipped: list[int] = field(default_factory=list)
    """By file: rows outside of the replayed period."""
    blocks: int = 0
    bytes: int = 0
    retries: int = 0
    earliest: int | None = None
    latest: int | None = None
    finished: bool = False


class Checkpoint:
    """The checkpoint of a replay at a path or gs:// URL."""

    def __init__(self, where: str, replay: Replay, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read or written yet."""
        self._where = where
        self._replay: dict[str, Any] = json.loads(json.dumps(asdict(replay)))
        self._clock = clock
        self._seconds = _CLOUD_SECONDS if where.startswith(SCHEME) else _LOCAL_SECONDS
        self._due = 0.0

    def load(self) -> Tally | None:
        """What an earlier run of this replay has left; None where there was none.

        Raises:
            CheckpointError: it is of another replay, or cannot be read.
        """
        text = _read(self._where)
        if text is None:
            return None
        try:
            found = json.loads(text)
            version, replay = found["version"], dict(found["replay"])
            tally = Tally(**found["tally"] | {"position": Position(**found["tally"]["position"])})
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self._where} is no checkpoint of a replay; name another --checkpoint") from error
        if version != _VERSION:
            raise CheckpointError(f"{self._where} has version {version}, this program writes {_VERSION}; delete it")
        different = [key for key, value in self._replay.items() if replay.get(key) != value]
        if different:
            raise CheckpointError(
                f"{self._where} belongs to another replay: {', '.join(map(self._difference(replay), different))}. "
                "Name another --checkpoint, or delete it to begin anew"
            )
        return tally

    def save_if_due(self, tally: Tally) -> None:
        """Write, unless that was a moment ago. A failure is logged only: the next write may succeed."""
        if self._clock() >= self._due:
            self.save_if_possible(tally)
            self._due = self._clock() + self._seconds

    def save_if_possible(self, tally: Tally) -> None:
        """Write; a failure is logged only."""
        try:
            self.save(tally)
        except CheckpointError as error:
            _log.warning("%s; an earlier checkpoint stays", error)

    def save(self, tally: Tally) -> None:
        """Write as a whole or not at all.

        Raises:
            CheckpointError: it cannot be written; what was there before stays.
        """
        _write(self._where, json.dumps({"version": _VERSION, "replay": self._replay, "tally": asdict(tally)}, indent=1))

    def _difference(self, replay: dict[str, Any]) -> Callable[[str], str]:
        def say(key: str) -> str:
            if key == "files":
                return "its files are others, or were written anew"
            return f"its {key} is {replay.get(key)}, not {self._replay[key]}"

        return say


def _read(where: str) -> str | None:
    if not where.startswith(SCHEME):
        try:
            return Path(where).read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"the checkpoint {where} cannot be read: {error}") from error
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    bucket, _, name = where.removeprefix(SCHEME).partition("/")
    try:
        blob = storage_client().bucket(bucket).get_blob(name)
        return str(blob.download_as_text()) if blob else None
    except (GoogleAPIError, GoogleAuthError, ProjectMissingError, OSError, ValueError) as error:
        raise CheckpointError(f"the checkpoint {where} cannot be read: {error}") from error


def _write(where: str, text: str) -> None:
    if not where.startswith(SCHEME):
        path = Path(where)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with temporary.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise CheckpointError(f"the checkpoint {where} cannot be written: {error.strerror}") from error
        return
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    bucket, _, name = where.removeprefix(SCHEME).partition("/")
    try:
        storage_client().bucket(bucket).blob(name).upload_from_string(text, content_type="application/json", timeout=30)
    except (GoogleAPIError, GoogleAuthError, ProjectMissingError, OSError, ValueError) as error:
        raise CheckpointError(f"the checkpoint {where} cannot be written: {error}") from error
