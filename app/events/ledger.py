"""The ledger of a run: every row that was read is stored, a duplicate or bad.

`read` is counted where rows enter, `stored`, `duplicates` and `bad` where they end, so that a ledger which adds up
is a proof and not a definition.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

_NOT_LOADED: Final = "not_loaded"


class LedgerError(RuntimeError):
    """A ledger does not add up: rows were lost or counted twice."""


@dataclass(frozen=True)
class Ledger:
    """Counts of rows of one run."""

    read: int
    """Rows in the input."""
    stored: int
    """Distinct events in the store."""
    duplicates: int
    """Rows equal to a stored event."""
    bad: int
    """Rows kept as bad events."""

    @property
    def missing(self) -> int:
        """Rows read that are nowhere; negative where more is accounted for than was read."""
        return self.read - self.stored - self.duplicates - self.bad

    def check(self, run: str = "run") -> Self:
        """Return the ledger if it adds up.

        Raises:
            LedgerError: it does not; the message says by how much.
        """
        if self.missing:
            what = f"{self.missing:,} rows are missing" if self.missing > 0 else f"{-self.missing:,} rows too many"
            raise LedgerError(
                f"the ledger of the {run} does not add up: read {self.read:,} != stored {self.stored:,}"
                f" + duplicates {self.duplicates:,} + bad {self.bad:,}: {what}"
            )
        return self

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            self.read + other.read,
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.bad + other.bad,
        )


def write_ledgers(ledgers: dict[str, Ledger], path: Path, not_loaded: Mapping[str, str] | None = None) -> None:
    """Write ledgers by name as one JSON object, replacing the file at once.

    `not_loaded` gives the stores that do not hold what the ledgers count, and why.
    """
    part = path.with_suffix(".part")
    found: dict[str, object] = {name: asdict(ledger) for name, ledger in ledgers.items()}
    if not_loaded:
        found[_NOT_LOADED] = dict(not_loaded)
    part.write_text(json.dumps(found, indent=2) + "\n")
    part.replace(path)


def read_ledgers(path: Path) -> dict[str, Ledger]:
    """Ledgers by name from what `write_ledgers` wrote."""
    found = json.loads(path.read_text())
    return {name: Ledger(**counts) for name, counts in found.items() if name != _NOT_LOADED}


def read_not_loaded(path: Path) -> dict[str, str]:
    """The stores that do not hold what the ledgers in a file count, and why."""
    return dict(json.loads(path.read_text()).get(_NOT_LOADED, {}))
