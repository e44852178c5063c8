"""Rows of `bad_event_log`: what the codec found to be no event, and events that the warehouse does not take."""

import time
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from app.events.bad_events import REFUSED_BY_WAREHOUSE
from app.events.csv_codec import Decoded, stored
from app.events.identity import canonical_row
from app.events.schema import RAW_COLUMNS
from app.events.warehouse import BAD_EVENT_LOG
from app.stream.decode_blocks import BAD_COUNTED
from app.stream.storage_write import Refused

MAX_RAW_BYTES: Final = 8_000_000
"""Of a row that is longer, the beginning is kept: with all of it no request would be small enough for BigQuery."""


def bad_rows(decoded: Decoded) -> pa.RecordBatch:
    """The bad events of a batch, as rows of BAD_EVENT_LOG."""
    bad = stored(decoded.bad, time.time_ns() // 1_000)
    columns = {name: bad.column(name) for name in bad.schema.names}
    columns["raw"] = pc.binary_slice(columns["raw"], 0, MAX_RAW_BYTES)
    columns["detail"] = pa.nulls(len(bad), pa.string())
    return pa.RecordBatch.from_arrays([columns[name] for name in BAD_EVENT_LOG.names], schema=BAD_EVENT_LOG)


def refused_row(refused: Refused) -> pa.RecordBatch:
    """An event that the warehouse does not take, as a row of BAD_EVENT_LOG. Its canonical row stands for its bytes."""
    Metrics.counter("shop", BAD_COUNTED).inc()
    (event,) = refused.row.to_pylist()
    row = {
        "reason": REFUSED_BY_WAREHOUSE,
        "raw": canonical_row(**{name: event[name] for name in RAW_COLUMNS}),
        "detail": refused.words,
        **{name: event[name] for name in ("source", "source_row", "ingest_time")},
    }
    return pa.RecordBatch.from_pylist([row], BAD_EVENT_LOG)
