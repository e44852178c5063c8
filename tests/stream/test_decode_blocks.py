"""What the decoding of blocks counts, which an alert looks at."""

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from app.events.csv_codec import Block
from app.events.time_bounds import DEFAULT_DAYS, PlausibleDays
from app.stream.decode_blocks import BAD_COUNTED, ROWS_COUNTED, DecodeBlocks

GOOD = b"2019-10-01 00:00:00 UTC,view,1,2,electronics.smartphone,apple,1.00,3,00000000-0000-4000-8000-000000000000"


def test_rows_and_bad_rows_are_counted() -> None:
    pipeline = beam.Pipeline("FnApiRunner")
    blocks = [Block(GOOD + b"\n" + b"no event", "a"), Block(GOOD, "b")]
    published = beam.Map(lambda block: TimestampedValue(block, Timestamp.now()))
    _ = pipeline | beam.Create(blocks) | published | DecodeBlocks(DEFAULT_DAYS)
    counters = pipeline.run().metrics().query(MetricsFilter().with_namespace("shop"))["counters"]
    assert {one.key.metric.name: one.committed for one in counters} == {ROWS_COUNTED: 3, BAD_COUNTED: 1}


def test_a_time_is_judged_when_its_message_was_published() -> None:
    """A message that comes again is judged as it was, whatever it is decoded together with."""
    day = 86_400
    event = Timestamp.from_rfc3339("2019-10-01T00:00:00Z")
    published = {"before": event - day, "after": event - day + 1}
    with beam.Pipeline("FnApiRunner") as pipeline:
        decoded = (
            pipeline
            | beam.Create(list(published))
            | beam.Map(lambda source: TimestampedValue(Block(GOOD, source), published[source]))
            | DecodeBlocks(PlausibleDays(latest="+1d"))
        )
        found = decoded | beam.FlatMap(
            lambda one: [*one.events.column("source").to_pylist(), *one.bad.column("reason").to_pylist()]
        )
        assert_that(found, equal_to(["after", "implausible_time"]))
