"""What the decoding of blocks counts, which an alert looks at."""

import apache_beam as beam
from apache_beam.metrics import MetricsFilter

from app.events.csv_codec import Block
from app.stream.decode_blocks import BAD_COUNTED, ROWS_COUNTED, DecodeBlocks

GOOD = b"2019-10-01 00:00:00 UTC,view,1,2,electronics.smartphone,apple,1.00,3,00000000-0000-4000-8000-000000000000"


def test_rows_and_bad_rows_are_counted() -> None:
    pipeline = beam.Pipeline("FnApiRunner")
    blocks = [Block(GOOD + b"\n" + b"no event", "a"), Block(GOOD, "b")]
    _ = pipeline | beam.Create(blocks) | DecodeBlocks()
    counters = pipeline.run().metrics().query(MetricsFilter().with_namespace("shop"))["counters"]
    assert {one.key.metric.name: one.committed for one in counters} == {ROWS_COUNTED: 3, BAD_COUNTED: 1}
