"""Settings of the buckets."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.settings.declaration import Problem, setting
from infra.settings.forms import BUCKET_PREFIX, LOCATION
from infra.settings.rules import integer, optional


@dataclass(frozen=True)
class StorageSettings:
    """Buckets for source events, the archive, and staging."""

    bucket_prefix: str | None = setting(
        None,
        optional(BUCKET_PREFIX),
        "what bucket names begin with, since they are unique in the world; else the project",
    )
    location: str | None = setting(None, optional(LOCATION), "where the buckets are; else the region")
    archive_cold_days: int = setting(30, integer(1, 3_650, 30), "days until archived rows move to cheaper storage")
    archive_days: int = setting(0, integer(0, 36_500, 730), "days until archived rows are deleted; 0: never")
    soft_delete_days: int = setting(7, integer(7, 90, 7), "days in which a deleted object can be restored")

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that rows are deleted before they move."""
        if 0 < self.archive_days <= self.archive_cold_days:
            yield Problem(
                f"{key}.archiveDays",
                self.archive_days,
                f"0, or more than archiveColdDays, {self.archive_cold_days}",
                "730",
            )
