"""A gRPC server before the emulator of BigQuery that refuses rows as BigQuery does; all else passes through.

BigQuery was seen to refuse an append with one event time ten years back as a whole, and to name rows (`row_errors`)
for other faults. It stores none of a request's rows in either case.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2

from app.local.process import LOOPBACK

_APPEND_ROWS = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows"
_ANY_SIZE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
OLDEST = datetime(2016, 12, 1, tzinfo=UTC)
WORDS = "The value 2015-06-01 for column event_time is out of the allowed bounds"


class Way(Enum):
    """How a request is answered: one with a refused row, or any."""

    NAMED = "row_errors"
    WHOLE = "an error in the response, after which the connection goes on"
    CUT = "an error that ends the connection"
    FORBIDDEN = "an error that ends the connection, since the account has no rights, whatever the rows are"


OF_ROWS = (Way.NAMED, Way.WHOLE, Way.CUT)


def is_too_old(row: dict[str, Any]) -> bool:
    """What BigQuery refuses of the events of today."""
    time: datetime | None = row.get("event_time")
    return time is not None and time < OLDEST


class PickyBigQuery:
    """The server; `refuses` says which rows it does not take."""

    def __init__(self, emulator_port: int, way: Way, refuses: Callable[[dict[str, Any]], bool] = is_too_old) -> None:
        self._channel = grpc.insecure_channel(f"{LOOPBACK}:{emulator_port}", _ANY_SIZE)
        self._way = way
        self._refuses = refuses
        self._server = grpc.server(ThreadPoolExecutor(64), options=_ANY_SIZE)
        self._server.add_generic_rpc_handlers((_Handler(self._serve),))
        self.port = self._server.add_insecure_port(f"{LOOPBACK}:0")
        self.appends = 0

    def __enter__(self) -> "PickyBigQuery":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(grace=None).wait()
        self._channel.close()

    def _serve(self, method: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        forward = self._channel.stream_stream(method)
        if method != _APPEND_ROWS:
            yield from forward(requests)
            return
        schema: pa.Schema | None = None
        for data in requests:
            self.appends += 1
            if self._way is Way.FORBIDDEN:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "Permission bigquery.tables.updateData denied")
            request = types.AppendRowsRequest.deserialize(data)
            if request.arrow_rows.writer_schema.serialized_schema:
                written = request.arrow_rows.writer_schema
                schema = pa.ipc.read_schema(pa.py_buffer(written.serialized_schema))
            batch = pa.ipc.read_record_batch(pa.py_buffer(request.arrow_rows.rows.serialized_record_batch), schema)
            faults = [number for number, row in enumerate(batch.to_pylist()) if self._refuses(row)]
            if not faults:
                request.arrow_rows.writer_schema = written
                yield from forward(iter([types.AppendRowsRequest.serialize(request)]))
            elif self._way is Way.CUT:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, WORDS)
            else:
                yield types.AppendRowsResponse.serialize(self._refusal(faults))

    def _refusal(self, faults: list[int]) -> types.AppendRowsResponse:
        if self._way is Way.WHOLE:
            return types.AppendRowsResponse(error={"code": code_pb2.INVALID_ARGUMENT, "message": WORDS})
        said = "Errors found while processing rows. Please refer to the row_errors field for details."
        errors = [
            types.RowError(index=number, code=types.RowError.RowErrorCode.FIELDS_ERROR, message=WORDS)
            for number in faults
        ]
        return types.AppendRowsResponse(error={"code": code_pb2.INVALID_ARGUMENT, "message": said}, row_errors=errors)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves every method as a stream of bytes in both directions."""

    def __init__(self, serve: Callable[[str, Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]) -> None:
        self._serve = serve

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.stream_stream_rpc_method_handler(
            lambda requests, context: self._serve(details.method, requests, context)
        )
