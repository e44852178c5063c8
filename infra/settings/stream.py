"""Settings of the streaming pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from infra.settings.declaration import Problem, setting
from infra.settings.forms import MACHINE_TYPE
from infra.settings.rules import choice, integer, switch


@dataclass(frozen=True)
class StreamSettings:
    """The streaming pipeline on Dataflow. `shop-analytics:stream: false` leaves out all that streams."""

    SWITCH: ClassVar = "enabled"

    enabled: bool = setting(
        True, switch(), "whether there is a streaming pipeline: topic, publisher, Dataflow, warehouse"
    )
    machine_type: str = setting("n2-standard-2", MACHINE_TYPE, "machine type of a worker")
    min_workers: int = setting(1, integer(1, 1_000, 1), "workers at the start; another number replaces the job")
    max_workers: int = setting(4, integer(1, 1_000, 4), "the most workers; another number replaces the job")
    on_delete: str = setting(
        "drain",
        choice("drain", "cancel"),
        "what happens to a job that is removed: drain finishes what it has read, cancel drops it at once",
    )
    count_every_seconds: int = setting(10, integer(1, 3_600, 10), "how old a changed count may get")
    keep_days: int = setting(7, integer(0, 365, 7), "how long an hour's events stay in state; 0: always")
    archive_every_seconds: int = setting(300, integer(1, 86_400, 300), "how old a row that is not archived may get")
    shards: int = setting(4, integer(1, 10_000, 4), "parts that an hour is counted in, in parallel")

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that the least number of workers is over the most."""
        if self.min_workers > self.max_workers:
            yield Problem(f"{key}.minWorkers", self.min_workers, f"at most maxWorkers, {self.max_workers}", "1")
