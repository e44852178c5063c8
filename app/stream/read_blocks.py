"""ReadBlocks: the messages of a Pub/Sub subscription as blocks of rows."""

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub

from app.events.csv_codec import Block
from app.stream.messages import block_of
from app.stream.pull import PullMessages


class ReadBlocks(beam.PTransform):
    """Read by Beam's own source, which Dataflow runs; or by pulling, on the runners of one machine."""

    def __init__(self, subscription: str, *, pull: bool, until_idle: float = 0) -> None:
        super().__init__()
        self._subscription = subscription
        self._pull = pull
        self._until_idle = until_idle

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Block]:
        """One element a message, its timestamp the time of publication."""
        if self._pull:
            return begin | PullMessages(self._subscription, self._until_idle)
        return (
            begin
            | ReadFromPubSub(subscription=self._subscription, with_attributes=True)
            | beam.Map(_block_of).with_output_types(Block)
        )


def _block_of(message: PubsubMessage) -> Block:
    return block_of(message.data, message.attributes or {}, message.message_id)
