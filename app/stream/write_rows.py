"""WriteRows: Arrow batches into a BigQuery table. A bundle ends only when its rows are stored, or refused."""

import logging
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from app.events.warehouse import TABLES
from app.stream.storage_write import Appended, Refused, TableWriter

_ROWS = 20_000

REFUSED_COUNTED: Final = "rows_refused"
"""Counter of the rows that a table does not take."""
_log = logging.getLogger(__name__)


class Written(NamedTuple):
    """What `WriteRows` gives: the batches that are stored, and the rows that the table does not take."""

    stored: beam.PCollection[pa.RecordBatch]
    refused: beam.PCollection[Refused]


class WriteRows(beam.PTransform):
    """Append record batches to a table of the warehouse; `dataset` is `project.dataset`."""

    def __init__(self, dataset: str, table: str) -> None:
        super().__init__()
        project, _, name = dataset.partition(".")
        self._path = f"projects/{project}/datasets/{name}/tables/{table}"
        self._schema = TABLES[table].schema

    @no_annotations  # Beam takes the type of one collection for a hint, and warns of any other
    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> Written:
        """Write; every row is in one of the outputs."""
        written = batches | beam.ParDo(_Append(self._path, self._schema)).with_outputs("refused", main="stored")
        return Written(written.stored, written.refused)


class _Append(beam.DoFn):
    """Joins small batches, since the service's price is by the request."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer: TableWriter | None = None
        self._refused = Metrics.counter("shop", REFUSED_COUNTED)

    def setup(self) -> None:
        self._writer = TableWriter(self._path, self._schema)

    def start_bundle(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def process(self, batch: pa.RecordBatch, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[Any]:
        self._timestamp = timestamp
        if len(batch):
            self._batches.append(batch)
            self._rows += len(batch)
        if self._rows >= _ROWS:
            yield from self._outputs(self._send())

    def finish_bundle(self) -> Iterator[Any]:
        assert self._writer is not None  # noqa: S101 - Beam calls setup first
        for appended in (self._send(), self._writer.flush()):
            for output in self._outputs(appended):
                tag = output.tag if isinstance(output, beam.pvalue.TaggedOutput) else None
                value = WindowedValue(output.value if tag else output, self._timestamp, [GlobalWindow()])
                yield beam.pvalue.TaggedOutput(tag, value) if tag else value

    def teardown(self) -> None:
        if self._writer:
            self._writer.close()

    def _send(self) -> Appended:
        if not self._batches:
            return Appended()
        assert self._writer is not None  # noqa: S101 - Beam calls setup first
        whole = self._batches[0] if len(self._batches) == 1 else pa.concat_batches(self._batches)
        self._batches, self._rows = [], 0
        return self._writer.send(whole)

    def _outputs(self, appended: Appended) -> Iterator[Any]:
        yield from appended.stored
        if appended.refused:
            count, words = len(appended.refused), appended.refused[0].words
            self._refused.inc(count)
            _log.error("BigQuery does not take %d rows for %s, the first for: %s", count, self._path, words)
        for refused in appended.refused:
            yield beam.pvalue.TaggedOutput("refused", refused)
