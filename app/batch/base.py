"""The base: what a run keeps of the event files, so that the next one can add files to it without reading these again.

    staging/
      base.json                        which run that is, its files and parts
      run-20191101T000000-1a2b3c/
        events/event_date=2019-10-01/part-00007-0000.parquet
        bad_events/part-00007-0000.parquet
        repeats/part-00007-0000.parquet

`base.json` is written at once when the run's stores are committed; until then the run before is the base.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from app.batch.errors import BatchError, SettingsError
from app.batch.folder import Folder
from app.batch.parts import Part

_FILE: Final = "base.json"
KEPT: Final = ("events", "bad_events", "repeats")
"""The folders that a base keeps of a run's staging folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """An event file that was read."""

    path: str
    size: int
    """Bytes as stored."""


@dataclass(frozen=True)
class Base:
    """What a committed run keeps: `parts` of `sources` (their place is `Part.source`), with files in `folder`."""

    run: str
    out: str
    """Whose results these are: the folder of the embedded store, or empty where the staging folder is within it."""
    folder: str
    """The run's staging folder."""
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]

    def check_replaced(self, paths: Collection[str]) -> None:
        """Check that `paths` are sources.

        Raises:
            SettingsError: one is not; the message has those that are.
        """
        known = [source.path for source in self.sources]
        if unknown := [path for path in paths if path not in known]:
            raise SettingsError(f"replace: {', '.join(unknown)} was not read before; these were: {', '.join(known)}")


def read_base(staging: str, out: str) -> Base | None:
    """The base in a staging folder, None where there is none.

    Raises:
        SettingsError: it belongs to the results in another folder than `out`.
        BatchError: it cannot be read.
    """
    root = Folder(staging)
    try:
        if not root.exists(_FILE):
            return None
        with root.open_input(_FILE) as file:
            found = json.loads(file.read())
        base = Base(
            found["run"],
            found["out"],
            root.path(found["folder"]),
            tuple(Source(**source) for source in found["sources"]),
            tuple(_part(part) for part in found["parts"]),
        )
    except OSError as error:
        raise BatchError(f"{root.path(_FILE)} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BatchError(
            f"{root.path(_FILE)} is not what this version of the job keeps ({error}); delete it, and read all files "
            "anew with --events"
        ) from error
    if base.out != out:
        raise SettingsError(
            f"staging: {staging} keeps the events of {base.out or 'a run without --out'}; give each --out another"
        )
    return base


def write_base(staging: str, base: Base) -> None:
    """Make a run the base, whose folder is in the staging folder. Raises OSError."""
    # Its name alone, so that the folders may be moved.
    kept = asdict(base) | {"folder": base.folder.rpartition("/")[2]}
    Folder(staging).swap_bytes(_FILE, json.dumps(kept).encode())


def base_run(staging: str) -> str | None:
    """The id of the run that is the base in a staging folder, whosever it is."""
    try:
        with Folder(staging).open_input(_FILE) as file:
            return str(json.loads(file.read())["run"])
    except (OSError, ValueError, KeyError):
        return None


def _part(fields: dict[str, Any]) -> Part:
    days = tuple((str(day), int(count)) for day, count in fields["days"])
    return Part(**{**fields, "days": days, "finished": tuple(fields["finished"])})
