"""Appends Arrow batches to a BigQuery table by the Storage Write API.

Rows go to the table's default stream: they can be queried at once, and a retry may append a batch twice, which the
views over the logs do not count (source: BigQuery documentation, "Introduction to the Storage Write API").
"""

import logging
import queue
import random
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from app.events.dialects import bigquery_arrow
from app.gcp.clients import bigquery_write_client

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
_log = logging.getLogger(__name__)


class AppendError(RuntimeError):
    """BigQuery does not take rows: the message names the table and what to do."""


class TableWriter:
    """One connection to one table, opened on the first send. Not thread safe.

    `send` returns when at most two requests are unanswered, `flush` when all are answered: only then the rows are
    stored. A connection that breaks is opened anew and what was unanswered is sent again.
    """

    def __init__(self, table: str, schema: pa.Schema) -> None:
        """`table` is projects/P/datasets/D/tables/T and `schema` that of the batches to come."""
        self._table = table
        self._schema = bigquery_arrow(schema)
        self._client = bigquery_write_client()
        self._requests: queue.SimpleQueue[types.AppendRowsRequest | None] | None = None
        self._responses: Iterator[types.AppendRowsResponse] | None = None
        self._unanswered: deque[types.AppendRowsRequest] = deque()

    def send(self, batch: pa.RecordBatch) -> None:
        """Append a batch. Raises AppendError."""
        for request in self._requests_of(batch.cast(self._schema)):
            self._unanswered.append(request)
            if self._requests:
                self._requests.put(request)
            self._answer(_MAX_UNANSWERED)

    def flush(self) -> None:
        """Wait until all that was sent is stored. Raises AppendError."""
        self._answer(0)

    def close(self) -> None:
        """End the connection; what is unanswered is not waited for."""
        if self._requests:
            self._requests.put(None)
        self._requests = self._responses = None

    def _requests_of(self, batch: pa.RecordBatch) -> Iterator[types.AppendRowsRequest]:
        data = batch.serialize().to_pybytes()
        if len(data) > MAX_REQUEST_BYTES and len(batch) > 1:
            half = len(batch) // 2
            yield from self._requests_of(batch.slice(0, half))
            yield from self._requests_of(batch.slice(half))
            return
        rows = types.AppendRowsRequest.ArrowData(rows=types.ArrowRecordBatch(serialized_record_batch=data))
        yield types.AppendRowsRequest(write_stream=f"{self._table}/streams/_default", arrow_rows=rows)

    def _open(self) -> None:
        """Open a connection, send what is unanswered, and wait for the first answer, which is not read yet."""
        # The service wants the schema with the first request of a connection.
        schema = types.ArrowSchema(serialized_schema=self._schema.serialize().to_pybytes())
        self._unanswered[0].arrow_rows.writer_schema = schema
        self._requests = queue.SimpleQueue()
        for request in self._unanswered:
            self._requests.put(request)
        requests = iter(self._requests.get, None)
        self._responses = iter(self._client.append_rows(requests, retry=None, timeout=_CONNECTION_SECONDS))

    def _answer(self, allowed: int) -> None:
        """Read answers until at most `allowed` requests are without one."""
        began, attempt = time.monotonic(), 0
        while self._unanswered and (self._responses is None or len(self._unanswered) > allowed):
            try:
                if self._responses is None:
                    self._open()
                else:
                    self._read_answer(self._responses)
                    attempt = 0
            except _TRANSIENT as error:
                attempt += 1
                self._reopen(error, attempt, time.monotonic() - began)
            except exceptions.GoogleAPICallError as error:
                raise AppendError(
                    f"BigQuery refuses rows for {self._table}: {error.message}. Does the table have the columns of "
                    "app/events/warehouse.py, and may this account write to it?"
                ) from error

    def _read_answer(self, responses: Iterator[types.AppendRowsResponse]) -> None:
        try:
            response = next(responses)
        except StopIteration:
            raise exceptions.ServiceUnavailable("the service ended the connection") from None
        if response.error.code:
            raise exceptions.from_grpc_status(response.error.code, response.error.message)
        self._unanswered.popleft()

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
