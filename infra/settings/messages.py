"""Settings of Pub/Sub."""

from dataclasses import dataclass

from infra.settings.declaration import setting
from infra.settings.forms import RESOURCE_NAME
from infra.settings.rules import integer


@dataclass(frozen=True)
class MessageSettings:
    """The topic of events and its subscription."""

    topic: str = setting("events", RESOURCE_NAME, "name of the topic, after the environment")
    retention_days: int = setting(
        7, integer(1, 31, 7), "how long messages are kept, acknowledged or not: so far back a subscription can seek"
    )
    ack_deadline_seconds: int = setting(60, integer(10, 600, 60), "how long a reader has to acknowledge a message")
