"""ReadEventLog: the events that earlier runs stored, to count anew what their lost state knew.

Dataflow keeps state for as long as a job lives, also through updates. A job that was cancelled, and any run on one
machine, takes its state along; the event log has all that it had stored.
"""

from collections.abc import Iterator

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from google.cloud.bigquery_storage_v1 import types

from app.events.csv_codec import LOCATED_BAD_EVENTS, LOCATED_EVENTS, Decoded
from app.events.identity import canonical_row
from app.events.schema import PRICE, RAW_COLUMNS
from app.gcp.clients import bigquery_read_client


class ReadEventLog(beam.PTransform):
    """All of `event_log` of `project.dataset`, as if it had just been decoded."""

    def __init__(self, dataset: str) -> None:
        super().__init__()
        self._dataset = dataset

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Decoded]:
        """One element a batch of the Storage Read API."""
        return (
            begin
            | beam.Create([self._dataset])
            | "Open streams" >> beam.FlatMap(_streams)
            | beam.Reshuffle()
            | "Read streams" >> beam.ParDo(_ReadStream()).with_output_types(Decoded)
        )


def _streams(dataset: str) -> list[str]:
    project, _, name = dataset.partition(".")
    session = bigquery_read_client().create_read_session(
        parent=f"projects/{project}",
        read_session=types.ReadSession(
            table=f"projects/{project}/datasets/{name}/tables/event_log",
            data_format=types.DataFormat.ARROW,
            read_options=types.ReadSession.TableReadOptions(selected_fields=LOCATED_EVENTS.names),
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
            yield TimestampedValue(_decoded(page.to_arrow()), Timestamp.now())


def _decoded(batch: pa.RecordBatch) -> Decoded:
    columns = {name: batch.column(name) for name in LOCATED_EVENTS.names}
    columns["price"] = columns["price"].cast(PRICE)
    events = pa.RecordBatch.from_arrays(
        [columns[field.name].cast(field.type) for field in LOCATED_EVENTS], schema=LOCATED_EVENTS
    )
    rows = zip(*(events.column(name).to_pylist() for name in RAW_COLUMNS), strict=True)
    return Decoded(
        rows=len(events),
        events=events,
        bad=pa.RecordBatch.from_pylist([], schema=LOCATED_BAD_EVENTS),
        text=[canonical_row(*row) for row in rows],
        event_index=np.arange(len(events)),
    )
