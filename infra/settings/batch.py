"""Settings of the batch job."""

from dataclasses import dataclass
from typing import ClassVar

from infra.settings.declaration import setting
from infra.settings.rules import choice


@dataclass(frozen=True)
class BatchSettings:
    """The batch job and its stores. `shop-analytics:batch: dataproc` is short for `run` alone."""

    SWITCH: ClassVar = "run"

    run: str = setting(
        "host",
        choice("host", "dataproc", "local", "off"),
        "where it runs: containers on a machine in the cloud, Dataproc Serverless, the local Docker daemon, or nowhere",
    )

    @property
    def on_google_cloud(self) -> bool:
        """Whether it needs a project."""
        return self.run in ("host", "dataproc")
