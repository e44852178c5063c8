"""The batch job: Spark on one machine, run each day by `app.batch.schedule`, which keeps the exit code."""

from dataclasses import dataclass
from typing import Final

import pulumi

from app.batch.settings import SERVER_STORES
from app.batch.stores.mysql.grants import LOADER as MYSQL_LOADER
from app.dashboards.grafana import DASHBOARD_FOLDER
from app.events.time_bounds import PlausibleDays
from infra.containers import SHOP_FOLDER, cassandra, redis
from infra.containers.spec import File, HealthCheck, Mount, SharedVolume, Spec
from infra.passwords import Passwords
from infra.settings.batch import BatchSettings

DATA: Final = "/data"
GRAFANA_FOLDER: Final = "/grafana"
"""Where the job writes the dashboards; the image gives them a folder of the job's user."""
_EVENTS: Final = "/events"
USER: Final = "1099:1099"
"""As in the image; Dataproc wants this number."""
STOP_SECONDS: Final = 60
"""How long a run has to end by itself."""
_START_SECONDS: Final = 60
_RETRY_SECONDS: Final = 300


@dataclass(frozen=True)
class JobArgs:
    """What the job's container runs and reads."""

    image: pulumi.Input[str]
    """Id of an image that the daemon has."""
    events: pulumi.Input[str]
    """A gs:// address or `generated:` and a number; not used where `folder` is given."""
    environment: str
    """The environment's name, which the log line of a run has."""
    days: PlausibleDays
    """The days that events may have."""
    folder: str | None = None
    """A folder of this computer that has the events."""
    log_project: str | None = None
    """The project whose Cloud Logging gets a line for each run."""


def store_environment(host: pulumi.Input[str] | None = None) -> dict[str, pulumi.Input[str]]:
    """The variables by which the job finds its stores: all on `host`, or each by its name in their network.

    It waits for them: they start with the machine, as it does.
    """
    return {
        **{f"{store.upper()}_RETRY_SECONDS": str(_RETRY_SECONDS) for store in SERVER_STORES},
        "MYSQL_HOST": host or "mysql",
        "MYSQL_USER": MYSQL_LOADER,
        "REDIS_URL": pulumi.Output.concat(f"redis://{redis.LOADER}@", host or "redis", f":{redis.PORT}/0"),
        "CASSANDRA_HOSTS": host or "cassandra",
        "CASSANDRA_USER": cassandra.LOADER,
        "CASSANDRA_BATCH_KIB": str(cassandra.BATCH_KIB),
    }


def spark_job(passwords: Passwords, settings: BatchSettings, args: JobArgs, dashboards: pulumi.Input[str]) -> Spec:
    """The job's container; `FirstRun` waits for it. `dashboards` names the volume in which it keeps Grafana's."""
    return Spec(
        role="batch-job",
        image=args.image,
        is_pulled=False,
        user=USER,
        memory_mb=settings.job_memory_mb,
        data_path=DATA,
        command=_command(settings, args),
        environment={
            **store_environment(),
            **{f"{store.upper()}_PASSWORD_FILE": f"{SHOP_FOLDER}/{store}" for store in SERVER_STORES},
            "BATCH_ENVIRONMENT": args.environment,
            **({"BATCH_LOG_PROJECT": args.log_project} if args.log_project else {}),
        },
        files=[File(f"{SHOP_FOLDER}/{store}", passwords[f"{store}-loader"], is_secret=True) for store in SERVER_STORES],
        mounts=[Mount(args.folder, _EVENTS)] if args.folder else [],
        shared=[SharedVolume(dashboards, f"{GRAFANA_FOLDER}/{DASHBOARD_FOLDER}")],
        health=HealthCheck(
            ("CMD", "python", "-m", "app.batch.status"),
            start_seconds=first_run_seconds(settings),
            interval_seconds=30,
            wait_seconds=None,
        ),
        stop_seconds=STOP_SECONDS,
    )


def first_run_seconds(settings: BatchSettings) -> int:
    """How long the first run may take, where the job runs at its start, and else the start alone."""
    return settings.first_run_minutes * 60 if settings.run_at_start else _START_SECONDS


def _command(settings: BatchSettings, args: JobArgs) -> list[pulumi.Input[str]]:
    command: list[pulumi.Input[str]] = ["python", "-m", "app.batch.schedule", "--at", settings.run_at]
    if settings.run_at_start:
        command.append("--now")
    command += ["--events", f"{_EVENTS}/*.csv*" if args.folder else args.events]
    command += ["--staging", f"{DATA}/staging", "--stores", ",".join(SERVER_STORES), "--dashboards", GRAFANA_FOLDER]
    command += ["--earliest", args.days.earliest, "--latest", args.days.latest]
    # The other half is for Python, which decodes the rows.
    command += ["--memory", f"{settings.job_memory_mb // 2}m"]
    return command
