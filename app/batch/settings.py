"""The settings of a run, read once and validated whole."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from app.batch.errors import SettingsError
from app.events.time_bounds import EARLIEST, LATEST, PlausibleDays

StoreName = Literal["embedded", "mysql", "redis", "cassandra"]
STORE_NAMES: Final[tuple[StoreName, ...]] = get_args(StoreName)
SERVER_STORES: Final = tuple(name for name in STORE_NAMES if name != "embedded")
"""The stores in servers of their own."""

_STAGING: Final = ".staging"
_SIZE: Final = re.compile(r"[1-9]\d*[mg]")
_MASTER: Final = re.compile(r"local(\[(\d+|\*)\])?|local-cluster\[\d+,\d+,\d+\]|spark://.+|yarn|k8s://.+")


@dataclass(frozen=True)
class Settings:
    """What to read, where to, and with how much of the machine.

    Raises:
        SettingsError: a value is not allowed; all faults are in one message.
    """

    events: tuple[str, ...]
    """Event files: local paths or gs:// addresses, plain or gzip, in the order that decides which duplicate stays."""
    out: Path | None = None
    """The folder of the embedded store. None: a run without one, which needs `staging`."""
    add: bool = False
    """Whether `events` are added to those of the run before. A file of the same path as one of those replaces it."""
    replace: tuple[str, ...] = ()
    """Files of the run before whose events are taken out, beside those that `events` replace."""
    stores: tuple[StoreName, ...] = ("embedded",)
    """Where results go. The first one's ledger says what became of all the others."""
    staging: str | None = None
    """Where executors put Parquet files, and the run's events stay for the next one to add to: a folder that all
    executors and the driver reach, local or gs://, one for each `out`. None: inside `out`."""
    master: str = "local[*]"
    """Spark's master. On a cluster that starts the job itself this is not used."""
    memory: str = "3g"
    """The heap of Spark's driver, which on one machine is all of Spark's memory."""
    earliest: str = EARLIEST
    """The first day, a date, that an event may have: one before it is a bad event."""
    latest: str = LATEST
    """The last day that an event may have: a date, or days ahead of the run's begin such as +1d."""
    split_mb: int = 32
    """Size of a task's share of a plain file [MiB]."""
    shuffle_partitions: int | None = None
    """Spark's partitions after a shuffle. None: twice the cores of one machine, on a cluster what that is set to."""
    questions_at_once: int = 2
    """How many questions Spark answers at a time."""
    gcs_connector: str = ""
    """The jar by which Spark itself reads and writes a `staging` in gs://, Maven's
    com.google.cloud.bigdataoss:gcs-connector:3.1.3 of classifier `shaded`. Empty: Spark has it, or needs none."""
    spark: Mapping[str, str] = field(default_factory=dict)
    """Further Spark settings; they win over the job's own."""

    def __post_init__(self) -> None:
        """Check every value."""
        faults = [fault for ok, fault in self._rules() if not ok]
        if faults:
            raise SettingsError("; ".join(faults))

    def _rules(self) -> list[tuple[bool, str]]:
        return [
            (
                bool(self.events) or self.add,
                "events: name at least one file, for example events.csv.gz or gs://shop/events.csv",
            ),
            (
                self.add or not self.replace,
                "replace: files can only be replaced where files are added to a run (--add)",
            ),
            (
                bool(self.stores) and set(self.stores) <= set(STORE_NAMES),
                f"stores: {','.join(self.stores)!r} has others than {', '.join(STORE_NAMES)}",
            ),
            (len(set(self.stores)) == len(self.stores), f"stores: {','.join(self.stores)!r} names one twice"),
            (
                bool(self.out) or "embedded" not in self.stores,
                "out: the store embedded needs a folder, for example out",
            ),
            (
                bool(self.out or self.staging),
                "staging: without out it needs a folder that all executors reach, for example gs://shop-batch/staging",
            ),
            (
                bool(_MASTER.fullmatch(self.master)),
                f"master: {self.master!r} is no Spark master; for example local[*] or local[2]",
            ),
            (bool(_SIZE.fullmatch(self.memory)), f"memory: {self.memory!r} is no size; for example 2g or 900m"),
            (
                self.gcs_connector in ("", self.gcs_connector.removesuffix(".jar") + ".jar"),
                f"gcs_connector: {self.gcs_connector!r} is no jar; for example gcs-connector-3.1.3-shaded.jar",
            ),
            *self._day_rules(),
            (1 <= self.split_mb <= 1024, f"split_mb: {self.split_mb} is not in 1 to 1024; for example 32"),
            (
                self.shuffle_partitions is None or 1 <= self.shuffle_partitions <= 100_000,
                f"shuffle_partitions: {self.shuffle_partitions} is not in 1 to 100000; for example 4",
            ),
            (
                1 <= self.questions_at_once <= 64,
                f"questions_at_once: {self.questions_at_once} is not in 1 to 64; for example 2",
            ),
        ]

    def _day_rules(self) -> list[tuple[bool, str]]:
        try:
            PlausibleDays(self.earliest, self.latest)
        except ValueError as error:
            return [(False, str(error))]
        return []

    @property
    def is_local(self) -> bool:
        """Whether Spark runs on this machine."""
        return self.master.startswith("local")

    @property
    def is_cluster(self) -> bool:
        """Whether Spark's tasks run in other processes than the driver's, to which the code has to be sent."""
        return not self.is_local or self.master.startswith("local-cluster")

    @property
    def staging_root(self) -> str:
        """The folder or gs:// address below which the run's staging folder is."""
        return (self.staging or str(Path(self.out or "").absolute() / _STAGING)).rstrip("/")
