"""ReadEventLog: the events that earlier runs stored, to count anew what their lost state knew.

Dataflow keeps state for as long as a job lives, also through updates, which do not read the log again. A job that was
cancelled, and any run on one machine, takes its state along; the event log has all that it had stored. While a job
that begins is reading, the counts of an hour may be too small for a moment.
"""

from collections.abc import Iterator
from typing import Final

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from google.cloud.bigquery_storage_v1 import types

from app.events.schema import EVENTS
from app.gcp.clients import bigquery_read_client
from app.stream.cells import COLUMNS

_COUNTED: Final = pa.schema([EVENTS.field(name) for name in COLUMNS])

_ALL_PARTITIONS: Final = "event_time >= TIMESTAMP '0001-01-01 00:00:00+00'"
"""Excludes nothing. The table takes no read that does not limit its partitions."""


class ReadEventLog(beam.PTransform):
    """All of `event_log` of `project.dataset`, in the columns that are counted, as if it had just come."""

    def __init__(self, dataset: str) -> None:
        super().__init__()
        self._dataset = dataset

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[pa.RecordBatch]:
        """One element a batch of the Storage Read API."""
        return (
            begin
            | beam.Create([self._dataset])
            | "Open streams" >> beam.FlatMap(_streams)
            | beam.Reshuffle()
            | "Read streams" >> beam.ParDo(_ReadStream()).with_output_types(pa.RecordBatch)
        )


def _streams(dataset: str) -> list[str]:
    project, _, name = dataset.partition(".")
    session = bigquery_read_client().create_read_session(
        parent=f"projects/{project}",
        read_session=types.ReadSession(
            table=f"projects/{project}/datasets/{name}/tables/event_log",
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(
                selected_fields=_COUNTED.names, row_restriction=_ALL_PARTITIONS
            ),
        ),
    )
    return [stream.name for stream in session.streams]


class _ReadStream(beam.DoFn):
    def setup(self) -> None:
        self._client = bigquery_read_client()

    def process(self, stream: str) -> Iterator[TimestampedValue]:
        rows = self._client.read_rows(stream).rows()  # type: ignore[no-untyped-call]
        for page in rows.pages:
            # Counted like what is published now; the state of a time long ago would be given up at once.
            yield TimestampedValue(_counted(page.to_arrow()), Timestamp.now())


def _counted(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [batch.column(field.name).cast(field.type) for field in _COUNTED]
    return pa.RecordBatch.from_arrays(columns, schema=_COUNTED)
