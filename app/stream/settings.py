"""The pipeline's settings, read once from its options and validated whole."""

import argparse
import re
from dataclasses import dataclass
from typing import Any, Final

from apache_beam.options.pipeline_options import PipelineOptions

from app.events.time_bounds import EARLIEST, LATEST, PlausibleDays

_SUBSCRIPTION: Final = re.compile(r"projects/[^/]+/subscriptions/[^/]+")
_DATASET: Final = re.compile(r"[^.]+\.[A-Za-z0-9_]+")
_ARCHIVE: Final = re.compile(r"gs://[^/]+(/.*)?")


class SettingsError(ValueError):
    """Settings are not valid; the message lists each with what is allowed and an example."""


class StreamOptions(PipelineOptions):
    """The options that the pipeline adds to Beam's own; on Dataflow they are the parameters of the template."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--subscription", default="", help="projects/PROJECT/subscriptions/NAME to read")
        parser.add_argument("--dataset", default="", help="PROJECT.DATASET in BigQuery to write to")
        parser.add_argument("--archive", default="", help="gs://BUCKET/PREFIX for the raw rows; none where empty")
        parser.add_argument("--count_every_seconds", type=int, default=10, help="how old a changed count may get")
        parser.add_argument(
            "--keep_days", type=int, default=7, help="how long an hour's events stay in state; 0: always"
        )
        parser.add_argument("--archive_every_seconds", type=int, default=300, help="how old an unwritten row may get")
        parser.add_argument("--earliest", default=EARLIEST, help="first plausible day of an event, a date")
        parser.add_argument(
            "--latest", default=LATEST, help="last plausible day of an event: a date, or days ahead of now such as +1d"
        )
        parser.add_argument("--shards", type=int, default=4, help="parts that an hour is counted in, in parallel")
        parser.add_argument("--worker_image", default="", help="on Dataflow: the workers' image, before Beam's option")
        parser.add_argument(
            "--worker_type", default="", help="on Dataflow: the workers' machine type, before Beam's option"
        )
        parser.add_argument(
            "--no_rebuild",
            dest="rebuild",
            action="store_false",
            help="do not begin by counting what event_log holds; counts of this run add to the earlier ones",
        )
        parser.add_argument("--pull", action="store_true", help="read by pulling, for a runner on one machine")
        parser.add_argument(
            "--until_idle", type=float, default=0, help="with --pull: end when nothing came for so many seconds"
        )


@dataclass(frozen=True)
class Settings:
    """What the pipeline reads, writes and runs on, and how often. The fields are the options of `StreamOptions`."""

    subscription: str
    dataset: str
    archive: str = ""
    count_every_seconds: int = 10
    keep_days: int = 7
    archive_every_seconds: int = 300
    shards: int = 4
    earliest: str = EARLIEST
    latest: str = LATEST
    worker_image: str = ""
    worker_type: str = ""
    rebuild: bool = True
    pull: bool = False
    until_idle: float = 0

    def __post_init__(self) -> None:
        """Raise SettingsError that names all that is wrong."""
        wrong = [
            *_mismatch("subscription", self.subscription, _SUBSCRIPTION, "projects/my-project/subscriptions/events"),
            *_mismatch("dataset", self.dataset, _DATASET, "my-project.shop"),
            *(_mismatch("archive", self.archive, _ARCHIVE, "gs://my-bucket/archive") if self.archive else ()),
            *_outside("count_every_seconds", self.count_every_seconds, 1, 3_600),
            *_outside("keep_days", self.keep_days, 0, 365),
            *_outside("archive_every_seconds", self.archive_every_seconds, 1, 86_400),
            *_outside("shards", self.shards, 1, 10_000),
        ]
        try:
            PlausibleDays(self.earliest, self.latest)
        except ValueError as error:
            wrong.append(str(error))
        if self.until_idle < 0 or (self.until_idle and not self.pull):
            wrong.append(f"until_idle is {self.until_idle}: give seconds, and only together with pull")
        if wrong:
            raise SettingsError("; ".join(wrong))

    @property
    def plausible_days(self) -> PlausibleDays:
        """The days that events may have."""
        return PlausibleDays(self.earliest, self.latest)

    @classmethod
    def from_options(cls, options: PipelineOptions) -> "Settings":
        """Settings from the command line. Raises SettingsError."""
        given: dict[str, Any] = vars(options.view_as(StreamOptions)._visible_options)
        return cls(**{name: given[name] for name in cls.__dataclass_fields__})


def _mismatch(name: str, value: str, pattern: re.Pattern[str], example: str) -> list[str]:
    return [] if pattern.fullmatch(value) else [f"{name} is {value!r}: give it like {example}"]


def _outside(name: str, value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [f"{name} is {value}: give {low} to {high}"]
