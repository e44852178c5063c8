"""Rows that are ready to be sent, and their way to the server, again where that failed."""

import itertools
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.batch.errors import StoreError
from app.batch.stores.cassandra.encode import offsets
from app.batch.stores.cassandra.explain import explained, may_pass
from app.batch.stores.cassandra.settings import CONSISTENCIES, CassandraSettings
from app.batch.stores.cassandra.wire import Connection, CqlError, Request, batch, execute

_MOST_AT_ONCE: Final = 64
"""Requests that are not answered yet."""

_BYTES_AT_ONCE: Final = 512 << 10
"""Of requests that are not answered yet; with more the server's work leaves its processor's cache."""

_MAX_ROWS: Final = 10_000
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 2.0


@dataclass(frozen=True)
class Rows:
    """Bytes of rows (`wire.py`), those of a partition next to each other."""

    data: pa.LargeBinaryArray

    def __len__(self) -> int:
        return len(self.data)

    def requests(self, batch_bytes: int, consistency: int) -> Iterator[Request]:
        """The rows in batches of at most `batch_bytes`; a row that is larger goes alone."""
        ends = offsets(self.data).tolist()
        data = memoryview(self.data.buffers()[2] or b"")
        begin, count = 0, len(self.data)
        while begin < count:
            end = min(bisect_right(ends, ends[begin] + batch_bytes) - 1, begin + _MAX_ROWS, count)
            if end <= begin + 1:
                end = begin + 1
                yield execute(data[ends[begin] : ends[end]], consistency)
            else:
                yield batch(data[ends[begin] : ends[end]], end - begin, consistency)
            begin = end


class Writer:
    """Writes rows, which must be harmless to write twice, over a connection that is made again where it breaks."""

    def __init__(self, settings: CassandraSettings, first_host: int) -> None:
        """Use `writing`."""
        self._settings = settings
        hosts = settings.hosts
        self._hosts = itertools.cycle(hosts[first_host % len(hosts) :] + hosts[: first_host % len(hosts)])
        self._connection: Connection | None = None
        self._statements: dict[str, bytes] = {}
        self._batch_bytes = settings.batch_kib << 10
        self._at_once = max(2, min(_MOST_AT_ONCE, _BYTES_AT_ONCE // self._batch_bytes))
        self._give_up = 0.0
        self._wait = _FIRST_WAIT

    def prepare(self, cql: str) -> bytes:
        """The id of a statement. Raises StoreError."""
        if cql not in self._statements:
            self._statements[cql] = b""
            self._progressed()
            while not self._statements[cql]:
                try:
                    self._statements[cql] = self._connected().prepare(cql)
                except (OSError, CqlError) as error:
                    self._lost(error)
        return self._statements[cql]

    def write(self, rows: Rows) -> None:
        """Write rows; when this returns the server has all of them.

        Raises:
            StoreError: it does not take them, or no node answers.
        """
        waiting = rows.requests(self._batch_bytes, CONSISTENCIES[self._settings.consistency])
        again: deque[Request] = deque()
        flying: dict[int, Request] = {}
        free = list(range(self._at_once))
        self._progressed()
        while True:
            new: dict[int, Request] = {}
            while free and (request := again.popleft() if again else next(waiting, None)):
                new[free.pop()] = request
            flying |= new
            if not flying:
                return
            failed: CqlError | None = None
            try:
                connection = self._connected()
                if new:
                    connection.send(new)
                for stream, error in connection.answers():
                    answered = flying.pop(stream)
                    free.append(stream)
                    if error:
                        again.append(answered)
                        failed = error
                    else:
                        self._progressed()
                if failed:
                    raise failed
            except (OSError, CqlError) as error:
                again.extend(flying.values())
                flying.clear()
                free = list(range(self._at_once))
                self._lost(error)

    def close(self) -> None:
        """Disconnect."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._settings, next(self._hosts))
            for cql, known in self._statements.items():
                if known and self._connection.prepare(cql) != known:
                    raise StoreError(f"Cassandra at {self._settings.address} was changed in the middle of a load")
        return self._connection

    def _progressed(self) -> None:
        self._give_up = time.monotonic() + self._settings.retry_seconds
        self._wait = _FIRST_WAIT

    def _lost(self, error: OSError | CqlError) -> None:
        """Disconnect, and wait before another attempt. Raises StoreError where none can help."""
        self.close()
        if not may_pass(error) or time.monotonic() >= self._give_up:
            raise explained(error, self._settings) from error
        time.sleep(self._wait)
        self._wait = min(2 * self._wait, _LONGEST_WAIT)


@contextmanager
def writing(settings: CassandraSettings, first_host: int) -> Iterator[Writer]:
    """A writer that begins with one of the hosts by its number, disconnected at the end."""
    writer = Writer(settings, first_host)
    try:
        yield writer
    finally:
        writer.close()
