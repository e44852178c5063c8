"""DecodeBlocks: blocks of raw rows become Arrow batches of events and bad events."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from app.events.csv_codec import Block, Decoded, decode_blocks
from app.events.time_bounds import PlausibleDays

ROWS = 30_000
"""Rows decoded together: enough that the price by the batch does not count, few enough for one append request."""

ROWS_COUNTED: Final = "rows_read"
BAD_COUNTED: Final = "rows_bad"
"""Counters of the rows that are decoded, and of the bad ones among them; an alert compares the two."""


class DecodeBlocks(beam.PTransform):
    """Decode all blocks of a bundle, `ROWS` rows at a time.

    Whether an event's time is plausible is judged at the time of its publication, so that a message that is delivered
    again is judged as before.
    """

    def __init__(self, days: PlausibleDays) -> None:
        super().__init__()
        self._days = days

    def expand(self, blocks: beam.PCollection[Block]) -> beam.PCollection[Decoded]:
        """One element for about `ROWS` rows, at least one a bundle that is not empty."""
        return blocks | beam.ParDo(_Decode(self._days)).with_output_types(Decoded)


class _Decode(beam.DoFn):
    def __init__(self, days: PlausibleDays) -> None:
        self._days = days
        self._read = Metrics.counter("shop", ROWS_COUNTED)
        self._bad = Metrics.counter("shop", BAD_COUNTED)

    def start_bundle(self) -> None:
        self._blocks: list[Block] = []
        self._rows = 0

    def process(self, block: Block, timestamp: Any = beam.DoFn.TimestampParam) -> Iterator[Decoded]:
        self._blocks.append(replace(block, bounds=self._days.at(timestamp.micros)))
        self._rows += block.data.count(b"\n") + 1
        self._timestamp = timestamp
        if self._rows >= ROWS:
            yield self._decode()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._blocks:
            yield WindowedValue(self._decode(), self._timestamp, [GlobalWindow()])

    def _decode(self) -> Decoded:
        blocks, self._blocks, self._rows = self._blocks, [], 0
        decoded = decode_blocks(blocks)
        self._read.inc(decoded.rows)
        self._bad.inc(decoded.bad.num_rows)
        return decoded
