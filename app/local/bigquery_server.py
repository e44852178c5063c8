"""Starts bqemulator in three points otherwise. Run by the Python of the emulator's own environment, see bigquery.py.

No snapshots: after each append bqemulator copies the whole table, so that a later query may ask for the table as it
was. Appends then take the longer the larger the table is: 32,000 rows/s where 279,000 are possible. Nothing here asks
for a table as it was, and its setting for how long copies are kept does not stop the copying. Snapshots that a
statement asks for (CREATE SNAPSHOT TABLE) are still made.

Threads of their own for gRPC: each open AppendRows holds a thread of the few that also serve queries, and one whose
client was killed holds it for ever. Without threads of their own, some killed clients stop the emulator altogether.

One statement at a time: all threads share one connection to DuckDB, where a statement that begins takes the result away
from one that has not been read yet. A query that meets an append would then fail.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any

import grpc
from bqemulator.cli import main
from bqemulator.grpc_api import write_servicer
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

_CONNECTIONS = 512

_connection = threading.RLock()
_capture = SnapshotManager.capture


def _capture_if_asked(self: SnapshotManager, *table: str, kind: str = "AUTO") -> Any:
    return None if kind == "AUTO" else _capture(self, *table, kind=kind)


def _one_at_a_time(statement: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(statement)
    def alone(*arguments: Any, **named: Any) -> Any:
        with _connection:
            return statement(*arguments, **named)

    return alone


SnapshotManager.capture = _capture_if_asked
DuckDBEngine.execute = _one_at_a_time(DuckDBEngine.execute)
DuckDBEngine.fetch_arrow = _one_at_a_time(DuckDBEngine.fetch_arrow)
write_servicer.RLock = lambda: _connection
grpc.aio.server = partial(grpc.aio.server, ThreadPoolExecutor(_CONNECTIONS, "grpc"))

if __name__ == "__main__":
    main()
