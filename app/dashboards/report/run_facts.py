"""How a run was made, as the demo leaves it in `run.json`: command, files, stages, versions, bad events.

Every part is optional: a report says what it is told and leaves out the rest.

    RunFacts(command="scripts/demo", stages=(Stage("batch", "Spark: read and answer", 31.5, 200_000),)).write(out)
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FILE_NAME: Final = "run.json"


class RunFactsError(Exception):
    """`run.json` is not what `RunFacts.write` writes."""


@dataclass(frozen=True)
class SourceFile:
    """A file that the run read. `bytes` is its size as it is stored, `rows` without the header."""

    name: str
    bytes: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Stage:
    """A step of the run: which pipeline it is part of (`stream`, `batch` or `both`), seconds, rows passed."""

    pipeline: str
    name: str
    seconds: float
    rows: int | None = None

    @property
    def rows_per_second(self) -> float | None:
        """Rows a second, where the stage counts rows."""
        return None if self.rows is None or self.seconds <= 0 else self.rows / self.seconds


@dataclass(frozen=True)
class BadRows:
    """How many rows were kept as bad events for one reason and field (None: the row as a whole)."""

    reason: str
    rows: int
    field: str | None = None


@dataclass(frozen=True)
class RunFacts:
    """The facts of one run. `finished` is ISO 8601 in UTC; `versions` is tool -> version; `machine` fact -> value."""

    command: str = ""
    finished: str = ""
    files: tuple[SourceFile, ...] = ()
    stages: tuple[Stage, ...] = ()
    bad_rows: tuple[BadRows, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stores: Mapping[str, str] = field(default_factory=dict)
    """What each store of the batch pipeline holds, by its name."""

    def write(self, directory: Path) -> Path:
        """Write `run.json` into the directory and return its path."""
        path = directory / FILE_NAME
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, directory: Path) -> "RunFacts":
        """Read `run.json` from the directory; without the file, no facts.

        Raises RunFactsError where the file is there and cannot be understood.
        """
        path = directory / FILE_NAME
        if not path.exists():
            return cls()
        try:
            return cls._from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RunFactsError(
                f"{path} does not describe a run ({error}); run the demo again to rewrite it"
            ) from error

    @classmethod
    def _from_json(cls, facts: dict[str, Any]) -> "RunFacts":
        return cls(
            **facts
            | {
                "files": tuple(SourceFile(**file) for file in facts.get("files", ())),
                "stages": tuple(Stage(**stage) for stage in facts.get("stages", ())),
                "bad_rows": tuple(BadRows(**bad) for bad in facts.get("bad_rows", ())),
                "notes": tuple(facts.get("notes", ())),
            }
        )
