"""Settings of the batch job and its stores."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from infra.settings.declaration import Problem, setting
from infra.settings.forms import MACHINE_TYPE
from infra.settings.rules import choice, integer, optional, several, switch, text

GENERATED: Final = "generated:"
"""Before the number of events that the job makes up."""
_GB_PER_CORE: Final = {"standard": 4, "highmem": 8, "highcpu": 1}
DASHBOARDS_MEMORY_MB: Final = 512
"""Of what keeps the dashboards up to date where the job runs elsewhere."""
_SYSTEM_MB: Final = 1024
"""What a machine needs beside its containers."""


@dataclass(frozen=True)
class BatchSettings:
    """The batch job and its stores. `shop-analytics:batch: dataproc` is short for `run` alone."""

    SWITCH: ClassVar = "run"

    run: str = setting(
        "host",
        choice("host", "dataproc", "local", "off"),
        "where it runs: containers on a machine in the cloud, Dataproc Serverless, the local Docker daemon, or nowhere",
    )
    events: str | None = setting(
        None,
        optional(
            text(
                rf"gs://[a-z0-9][a-z0-9._-]+/[^\s'\"\\$`]*|/[^\s'\"\\$`:]*|{GENERATED}[1-9][0-9]*",
                "files in Cloud Storage, a folder of this computer (run: local), or generated:NUMBER for made-up ones",
                "gs://my-project-dev-events/events/",
            )
        ),
        "what the job reads; where empty, events/ in the bucket of events",
    )
    run_at: str = setting(
        "03:00", text(r"([01]\d|2[0-3]):[0-5]\d", "a time of day in UTC", "03:00"), "when the job runs, each day"
    )
    run_at_start: bool = setting(
        False,
        switch(),
        "whether the job also runs when its container starts; `pulumi up` waits for it, and fails with it",
    )
    first_run_minutes: int = setting(
        15, integer(1, 1_440, 15), "how long `pulumi up` waits for a run at the start, before it counts as failed"
    )
    machine_type: str = setting("e2-highmem-4", MACHINE_TYPE, "machine type of the batch host")
    data_disk_gb: int = setting(200, integer(10, 65_536, 200), "size of the stores' disk; it can only grow")
    snapshot_days: int = setting(7, integer(1, 365, 7), "how long the disk's daily snapshots are kept")
    cassandra_memory_mb: int = setting(8_192, integer(1_024, 262_144, 8_192), "memory of Cassandra, half of it heap")
    redis_memory_mb: int = setting(4_096, integer(128, 262_144, 4_096), "memory of Redis; 70 % of it for data")
    mysql_memory_mb: int = setting(4_096, integer(768, 262_144, 4_096), "memory of MySQL, half of it for pages")
    grafana_memory_mb: int = setting(512, integer(256, 16_384, 512), "memory of Grafana")
    job_memory_mb: int = setting(12_288, integer(2_048, 262_144, 12_288), "memory of the Spark job, half of it heap")
    port_offset: int = setting(
        0, integer(0, 50_000, 10_000), "added to the ports 3000, 3306, 6379 and 9042, where these are taken"
    )
    operators: tuple[str, ...] = setting(
        (),
        several(text(r"(user|group|serviceAccount):\S+", "a member of IAM", "group:operators@example.com")),
        "who may log in to the batch host, and so deploy it, beside the owners of the project and CI",
    )

    @property
    def on_google_cloud(self) -> bool:
        """Whether it needs a project."""
        return self.run in ("host", "dataproc")

    @property
    def run_on_host(self) -> bool:
        """Whether the job is a container beside its stores."""
        return self.run in ("host", "local")

    @property
    def containers_mb(self) -> int:
        """Memory of all containers [MiB]."""
        stores = self.cassandra_memory_mb + self.redis_memory_mb + self.mysql_memory_mb + self.grafana_memory_mb
        return stores + (self.job_memory_mb if self.run_on_host else DASHBOARDS_MEMORY_MB)

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that there are no events to read, or more memory is given than there is."""
        events = self.events or ""
        if self.run == "local" and (not events or events.startswith("gs://")):
            yield Problem(
                f"{key}.events",
                self.events,
                "a folder of this computer, or made-up events, with run: local",
                f"{GENERATED}200000",
            )
        if self.on_google_cloud and events.startswith("/"):
            yield Problem(
                f"{key}.events", self.events, "files in Cloud Storage, or nothing", "gs://my-project-dev-events/"
            )
        if self.run == "dataproc" and events.startswith(GENERATED):
            yield Problem(f"{key}.events", self.events, "files that all workers reach", "gs://my-project-dev-events/")
        has = _memory_mb(self.machine_type)
        if self.on_google_cloud and has and self.containers_mb + _SYSTEM_MB > has:
            yield Problem(
                f"{key}.machineType",
                self.machine_type,
                f"a machine of {self.containers_mb + _SYSTEM_MB:,} MiB, which the containers need, or give them less",
                "e2-highmem-8",
            )


def _memory_mb(machine_type: str) -> int | None:
    found = re.fullmatch(r"\w+-(standard|highmem|highcpu)-(\d+)", machine_type)
    return _GB_PER_CORE[found[1]] * int(found[2]) * 1024 if found else None
