"""Starts bqemulator without its snapshots. Run by the Python of the emulator's own environment, see bigquery.py.

After each append bqemulator copies the whole table, so that a later query may ask for the table as it was. Appends
then take the longer the larger the table is: 32,000 rows/s where 279,000 are possible. Nothing here asks for a table
as it was, and its setting for how long copies are kept does not stop the copying. Snapshots that a statement asks for
(CREATE SNAPSHOT TABLE) are still made.
"""

from typing import Any

from bqemulator.cli import main
from bqemulator.versioning.snapshots import SnapshotManager

_capture = SnapshotManager.capture


def _capture_if_asked(self: SnapshotManager, *table: str, kind: str = "AUTO") -> Any:
    return None if kind == "AUTO" else _capture(self, *table, kind=kind)


SnapshotManager.capture = _capture_if_asked

if __name__ == "__main__":
    main()
