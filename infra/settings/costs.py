"""Assumptions of the estimate of costs, as what is used is not known before."""

from dataclasses import dataclass

from infra.settings.declaration import setting
from infra.settings.rules import integer, number, optional


@dataclass(frozen=True)
class CostSettings:
    """How much is expected to happen. These change nothing but the estimate."""

    events_a_day: int = setting(
        1_400_000, integer(0, 100_000_000_000, 1_400_000), "events a day; the data set's October has 1.4 million"
    )
    event_bytes: int = setting(130, integer(1, 65_536, 130), "size of an event as CSV, in bytes")
    history_days: int = setting(365, integer(1, 36_500, 365), "days of events that are stored")
    average_workers: float | None = setting(
        None, optional(number(0, 1_000, 1.5)), "Dataflow workers on average; else the least number"
    )
    queried_gb_a_day: float = setting(20, number(0, 10_000_000, 20), "GB that questions read in BigQuery in a day")
    publisher_hours_a_day: float = setting(24, number(0, 24, 24), "hours a day that the publisher runs")
    batch_hours_a_day: float = setting(1, number(0, 24, 1), "hours a day that a batch job on Dataproc runs")
