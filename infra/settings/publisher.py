"""Settings of the publisher."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.settings.declaration import Problem, setting
from infra.settings.forms import MACHINE_TYPE, TIME
from infra.settings.rules import integer, number, optional, several, switch, text


@dataclass(frozen=True)
class PublisherSettings:
    """The machine that replays event files to the topic."""

    enabled: bool = setting(True, switch(), "whether there is a publisher; without, publish from anywhere")
    machine_type: str = setting("e2-standard-2", MACHINE_TYPE, "machine type")
    files: tuple[str, ...] = setting(
        ("events/",),
        several(
            text(r"[^\s'\"\\$`]+", "an object, glob or prefix in the bucket of events", "events/2019-*.csv.gz"), least=1
        ),
        "what is replayed, in this order",
    )
    replay: str = setting(
        "first",
        text(r"[a-z0-9][a-z0-9-]{0,39}", "up to 40 small letters, digits and hyphens", "second"),
        "name of the replay: it continues where it was under its name, and begins anew under another",
    )
    speed: float | None = setting(
        None,
        optional(number(0.001, 1_000_000, 60)),
        "pace, as a multiple of the original; as fast as possible where empty",
    )
    start: str | None = setting(None, optional(TIME), "events before it are left out")
    end: str | None = setting(None, optional(TIME), "events from it on are left out")
    block_rows: int = setting(500, integer(1, 100_000, 500), "the most rows of a message")

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that the period ends before it begins."""
        if self.start and self.end and self.start >= self.end:
            yield Problem(f"{key}.end", self.end, f"a time after start, {self.start}", TIME.example)
