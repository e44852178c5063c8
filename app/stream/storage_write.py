"""Appends Arrow batches to a BigQuery table by the Storage Write API.

Rows go to the table's default stream: they can be queried at once, and a retry may append a batch twice, which the
views over the logs do not count (source: BigQuery documentation, "Introduction to the Storage Write API").

One row that the service does not take refuses its whole request. The rows at fault are then found, by the service's
`row_errors` or by halving the request, and given back; all others are stored.
"""

import logging
import queue
import random
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from app.events.dialects import bigquery_arrow
from app.gcp.clients import bigquery_write_client
from app.stream.table_columns import differing_columns

MAX_REQUEST_BYTES: Final = 9_000_000
"""The service refuses requests over 10 MB."""
_MAX_UNANSWERED: Final = 2
_GIVE_UP_SECONDS: Final = 300.0
_CONNECTION_SECONDS: Final = 600.0
"""A connection is given up after so long, since one that is cut silently would be waited for without end."""
_TRANSIENT: Final = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
_REFUSAL: Final = (exceptions.InvalidArgument, exceptions.OutOfRange)
"""What may be the fault of a row, or of the table's columns."""
_HINTS: Final = {
    exceptions.NotFound: "Is the table there, with the columns of app/events/warehouse.py?",
    exceptions.Forbidden: "May this account write to the table (roles/bigquery.dataEditor)?",
    exceptions.Unauthorized: "Are the credentials of this account valid?",
}
_log = logging.getLogger(__name__)


class AppendError(RuntimeError):
    """BigQuery does not take rows: the message names the table and what to do."""


class Refused(NamedTuple):
    """A row that the table does not take."""

    row: pa.RecordBatch
    words: str
    """The service's own, why."""


@dataclass(frozen=True)
class Appended:
    """What became of rows that were sent, of this call or an earlier one."""

    stored: list[pa.RecordBatch] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class _Append(NamedTuple):
    rows: pa.RecordBatch
    request: types.AppendRowsRequest
    is_part: bool
    """Of a request that was refused."""


class TableWriter:
    """One connection to one table, opened on the first send. Not thread safe.

    `send` returns when at most two requests are unanswered, `flush` when all are answered: only then the rows are
    stored, or refused. A connection that breaks is opened anew and what was unanswered is sent again.
    """

    def __init__(self, table: str, schema: pa.Schema) -> None:
        """`table` is projects/P/datasets/D/tables/T and `schema` that of the batches to come."""
        self._table = table
        self._schema = bigquery_arrow(schema)
        self._client = bigquery_write_client()
        self._requests: queue.SimpleQueue[types.AppendRowsRequest | None] | None = None
        self._responses: Iterator[types.AppendRowsResponse] | None = None
        self._unanswered: deque[_Append] = deque()
        self._in_flight = 0  # the first of the unanswered, sent on the present connection
        self._one_by_one = False

    def send(self, batch: pa.RecordBatch) -> Appended:
        """Append a batch. Raises AppendError."""
        done = Appended()
        for append in self._appends_of(batch):
            self._unanswered.append(append)
            self._answer(_MAX_UNANSWERED, done)
        return done

    def flush(self) -> Appended:
        """Wait until all that was sent is answered. Raises AppendError."""
        done = Appended()
        self._answer(0, done)
        return done

    def close(self) -> None:
        """End the connection; what is unanswered is not waited for."""
        if self._requests:
            self._requests.put(None)
        self._requests = self._responses = None
        self._in_flight = 0

    def _appends_of(self, rows: pa.RecordBatch, *, is_part: bool = False) -> Iterator[_Append]:
        data = rows.cast(self._schema).serialize().to_pybytes()
        if len(data) > MAX_REQUEST_BYTES and len(rows) > 1:
            for half in _halves(rows):
                yield from self._appends_of(half, is_part=is_part)
            return
        arrow = types.AppendRowsRequest.ArrowData(rows=types.ArrowRecordBatch(serialized_record_batch=data))
        stream = f"{self._table}/streams/_default"
        yield _Append(rows, types.AppendRowsRequest(write_stream=stream, arrow_rows=arrow), is_part)

    def _answer(self, allowed: int, done: Appended) -> None:
        """Read answers until at most `allowed` requests are without one."""
        attempt, since = 0, 0.0
        while True:
            try:
                self._transmit()
                if len(self._unanswered) <= allowed:
                    break
                self._read_answer(done)
                attempt = 0
            except _TRANSIENT as error:
                attempt += 1
                since = time.monotonic() if attempt == 1 else since
                self._reopen(error, attempt, time.monotonic() - since)
            except _REFUSAL as error:
                # The request at fault is sure only where no other was sent.
                if self._in_flight == 1:
                    self._refuse(error, done)
                self.close()
                self._one_by_one = True
            except exceptions.GoogleAPICallError as error:
                hint = next((f" {hint}" for kind, hint in _HINTS.items() if isinstance(error, kind)), "")
                raise AppendError(f"BigQuery refuses rows for {self._table}: {error.message}.{hint}") from error
        if not self._unanswered:
            self._one_by_one = False

    def _transmit(self) -> None:
        """Send what has not been sent on the present connection, opening one where there is none."""
        allowed = 1 if self._one_by_one else len(self._unanswered)
        ready = [append.request for append in self._unanswered][self._in_flight : allowed]
        if not ready:
            return
        is_new = self._requests is None
        if self._requests is None:
            # The service wants the schema with the first request of a connection.
            schema = types.ArrowSchema(serialized_schema=self._schema.serialize().to_pybytes())
            ready[0].arrow_rows.writer_schema = schema
            self._requests = queue.SimpleQueue()
        for request in ready:
            self._requests.put(request)
        self._in_flight += len(ready)
        if is_new:
            # Waits for the first answer, which is not read yet.
            requests = iter(self._requests.get, None)
            self._responses = iter(self._client.append_rows(requests, retry=None, timeout=_CONNECTION_SECONDS))

    def _read_answer(self, done: Appended) -> None:
        try:
            response = next(self._responses or iter(()))
        except StopIteration:
            raise exceptions.ServiceUnavailable("the service ended the connection") from None
        if response.row_errors:
            self._refuse_rows({error.index: error.message for error in response.row_errors}, done)
            return
        error = exceptions.from_grpc_status(response.error.code, response.error.message)
        if response.error.code and isinstance(error, _REFUSAL):
            self._refuse(error, done)  # and the connection goes on
        elif response.error.code:
            raise error
        else:
            done.stored.append(self._pop().rows)

    def _pop(self) -> _Append:
        self._in_flight -= 1
        return self._unanswered.popleft()

    def _refuse(self, error: exceptions.GoogleAPICallError, done: Appended) -> None:
        """Look for the rows for which the first request was refused as a whole."""
        self._check_columns(error.message)
        rows = self._pop().rows
        if len(rows) == 1:
            done.refused.append(Refused(rows, str(error.message)))
            return
        for half in _halves(rows):
            self._unanswered.extend(self._appends_of(half, is_part=True))

    def _refuse_rows(self, words: dict[int, str], done: Appended) -> None:
        """Leave out the rows of the first request that the service names; it has stored none of the others either."""
        self._check_columns(next(iter(words.values())))
        rows = self._pop().rows
        done.refused.extend(Refused(rows.slice(index, 1), text) for index, text in words.items())
        others = rows.take(pa.array(np.setdiff1d(np.arange(len(rows)), list(words))))
        if len(others):
            self._unanswered.extend(self._appends_of(others, is_part=True))

    def _check_columns(self, words: str) -> None:
        """Raise AppendError where the first request is refused for the table's columns, which no row fits."""
        if self._unanswered[0].is_part:
            return
        if differing := differing_columns(self._table, self._schema):
            raise AppendError(
                f"BigQuery refuses rows for {self._table}: {words}. The table has other columns than "
                f"app/events/warehouse.py: {'; '.join(differing)}. Deploy the warehouse anew (pulumi up)."
            )

    def _reopen(self, error: exceptions.GoogleAPICallError, attempt: int, waited: float) -> None:
        if waited > _GIVE_UP_SECONDS:
            raise AppendError(
                f"BigQuery did not take rows for {self._table} for {waited:.0f} s: {error.message}. The rows are not "
                "acknowledged and will be delivered again; start the pipeline when BigQuery answers."
            ) from error
        self.close()
        pause = min(30.0, 0.2 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
        _log.warning("BigQuery, %s: %s; trying again in %.1f s", self._table, error.message, pause)
        time.sleep(pause)
        self._client.transport.close()  # type: ignore[no-untyped-call]
        self._client = bigquery_write_client()


def _halves(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    half = len(rows) // 2
    return rows.slice(0, half), rows.slice(half)
