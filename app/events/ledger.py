"""The ledger of a run: every row that was read is stored, a duplicate or bad.

`read` is counted where rows enter, `stored`, `duplicates` and `bad` where they end, so that a ledger which adds up
is a proof and not a definition.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


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


def write_ledgers(ledgers: dict[str, Ledger], path: Path) -> None:
    """Write ledgers by name as one JSON object, replacing the file at once."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({name: asdict(ledger) for name, ledger in ledgers.items()}, indent=2) + "\n")
    part.replace(path)


def read_ledgers(path: Path) -> dict[str, Ledger]:
    """Ledgers by name from what `write_ledgers` wrote."""
    return {name: Ledger(**counts) for name, counts in json.loads(path.read_text()).items()}
