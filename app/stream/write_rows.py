"""WriteRows: Arrow batches into a BigQuery table. A bundle ends only when its rows are stored."""

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa

from app.events.warehouse import TABLES
from app.stream.storage_write import TableWriter

_ROWS = 20_000


class WriteRows(beam.PTransform):
    """Append record batches to a table of the warehouse; `dataset` is `project.dataset`."""

    def __init__(self, dataset: str, table: str) -> None:
        super().__init__()
        project, _, name = dataset.partition(".")
        self._path = f"projects/{project}/datasets/{name}/tables/{table}"
        self._schema = TABLES[table].schema

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[None]:
        """Write; the output is empty."""
        return batches | beam.ParDo(_Append(self._path, self._schema))


class _Append(beam.DoFn):
    """Joins small batches, since the service's price is by the request."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer: TableWriter | None = None

    def setup(self) -> None:
        self._writer = TableWriter(self._path, self._schema)

    def start_bundle(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def process(self, batch: pa.RecordBatch) -> Iterator[None]:
        if len(batch):
            self._batches.append(batch)
            self._rows += len(batch)
        if self._rows >= _ROWS:
            self._send()
        yield from ()

    def finish_bundle(self) -> None:
        self._send()
        assert self._writer is not None  # noqa: S101 - Beam calls setup first
        self._writer.flush()

    def teardown(self) -> None:
        if self._writer:
            self._writer.close()

    def _send(self) -> None:
        if not self._batches:
            return
        assert self._writer is not None  # noqa: S101 - Beam calls setup first
        whole = self._batches[0] if len(self._batches) == 1 else pa.concat_batches(self._batches)
        self._batches, self._rows = [], 0
        self._writer.send(whole)
