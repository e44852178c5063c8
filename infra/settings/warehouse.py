"""Settings of BigQuery."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from infra.settings.declaration import Problem, setting
from infra.settings.forms import DATASET, DATE, LOCATION
from infra.settings.rules import integer, optional, several, text


@dataclass(frozen=True)
class WarehouseSettings:
    """Tables and views in BigQuery."""

    dataset: str = setting(
        "shop", DATASET, "name of the dataset of logs, after the environment; the answers' has `_answers` after"
    )
    location: str | None = setting(None, optional(LOCATION), "where the datasets are; else the region")
    history_from: str = setting(
        "0001-01-01",
        DATE,
        "first day that views read: 0001-01-01 is all; a later day hides what is before, and reads less",
    )
    expiry_days: int = setting(
        0, integer(0, 36_500, 400), "days after its own day that a partition of a log is deleted; 0: never"
    )
    time_travel_hours: int = setting(
        168, integer(48, 168, 168), "hours in which a table can be read as it was; longer costs more"
    )
    readers: tuple[str, ...] = setting(
        (),
        several(text(r"(user|group|serviceAccount|domain):\S+", "a member of IAM", "group:analysts@example.com")),
        "who may read the answers, beside the dashboards' account",
    )

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that the history begins on a day that there is not."""
        try:
            date.fromisoformat(self.history_from)
        except ValueError:
            yield Problem(f"{key}.historyFrom", self.history_from, DATE.allowed, DATE.example)
