"""What there are alerts for, and what to do about each. An alert is data; `alerts.py` makes it.

Queries are in PromQL, as Cloud Monitoring takes them: a metric of Google's `pubsub.googleapis.com/subscription/x` is
`pubsub_googleapis_com:subscription_x`. A metric that has not been written yet is no error there, as it is in the older
kinds of conditions, so that an environment can be made in one go.

Texts are templates: `${subscription}` stands for a name that the provider gives, which may not be known yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pulumi

from app.batch.run_report import EVENT
from infra.settings.operations import OperationsSettings

_JOB: Final = 'monitored_resource="dataflow_job",job_name="${job}"'
_MACHINE: Final = 'monitored_resource="gce_instance",instance_name="${machine}"'
_DISKS: Final = (
    'monitored_resource="gce_instance",metadata_system_name="${machine}",device_name!~"dm-.*|loop.*|sda([2-9]|1.)"'
)
"""What can be written on. The system's own parts of Container-Optimized OS are always full."""
_JOB_LOGS: Final = (
    '`gcloud logging read \'resource.type="dataflow_step" AND resource.labels.job_name="${job}" AND severity>=ERROR\' '
    "--freshness=1h --limit=20`"
)


@dataclass(frozen=True)
class Query:
    """A PromQL query that gives something when there is cause for an alert, and for how long it must, in seconds."""

    promql: str
    seconds: int


@dataclass(frozen=True)
class LogLine:
    """A filter of log lines, each of which is cause for an alert."""

    filter: str


@dataclass(frozen=True)
class Alert:
    """A cause for an alert; `severity` is WARNING, ERROR or CRITICAL, `advice` is Markdown."""

    role: str
    title: str
    condition: Query | LogLine
    severity: str
    advice: str
    names: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What the variables in the texts stand for."""


@dataclass(frozen=True)
class StreamNames:
    """The names of what streams."""

    subscription: pulumi.Input[str]
    job: pulumi.Input[str]
    region: str

    @property
    def variables(self) -> dict[str, pulumi.Input[str]]:
        """What stands for them in a text."""
        return {"subscription": self.subscription, "job": self.job}


def stream_alerts(names: StreamNames, settings: OperationsSettings) -> Iterator[Alert]:
    """Alerts for the streaming pipeline."""
    for alert in (*_reading_alerts(names, settings), *_job_alerts(names, settings)):
        yield replace(alert, names=names.variables)


def _reading_alerts(names: StreamNames, settings: OperationsSettings) -> Iterator[Alert]:
    oldest, share = settings.unacked_seconds, settings.bad_event_share
    yield Alert(
        "unacked",
        f"Events wait for over {oldest} s",
        Query(f"{_of_subscription('oldest_unacked_message_age', 'subscription')} > {oldest}", 120),
        "ERROR",
        f"""The oldest event in the subscription `${{subscription}}` has waited for over {oldest} s, so that the
warehouse is behind. Nothing is lost as long as messages are kept.

1. Does the job run? `gcloud dataflow jobs list --region={names.region} --status=active`
2. What does it say? {_JOB_LOGS}
3. Does it have all its workers, with their processors busy? Then raise `stream.maxWorkers` and run `pulumi up`; this
   replaces the job.
4. Is BigQuery slow or over a quota? The job's log says so; it tries again by itself.""",
    )
    yield Alert(
        "bad-events",
        f"Over {share:.2%} of the events are bad",
        Query(f"sum({_counted('rows_bad')}) / sum({_counted('rows_read')}) > {share:g}", 300),
        "WARNING",
        """More rows than usual are no events. All of them are kept with their reason and bytes.

1. Which reason, from which source? In the environment's dataset: `SELECT reason, field, source, COUNT(*) AS bad,
   ANY_VALUE(raw) AS example FROM bad_events GROUP BY 1, 2, 3 ORDER BY bad DESC LIMIT 20`
2. Tell who publishes that source. Rows that are mended are published again; those that were good count once.""",
    )


def _job_alerts(names: StreamNames, settings: OperationsSettings) -> Iterator[Alert]:
    lag = settings.lag_seconds
    yield Alert(
        "lag",
        f"The streaming job is over {lag} s behind",
        Query(f"max(dataflow_googleapis_com:job_system_lag{{{_JOB}}}) > {lag}", 300),
        "ERROR",
        f"""An event has been in the job `${{job}}` for over {lag} s.

1. Which step is slow? Open the job in the console; the step with the oldest watermark is the one.
2. What does it say? {_JOB_LOGS}
3. Too few workers? Raise `stream.maxWorkers`. One key much larger than the others? Raise `stream.shards`, for a new
   dataset.""",
    )
    yield Alert(
        "job-failed",
        "The streaming job has failed",
        Query(f"max(max_over_time(dataflow_googleapis_com:job_is_failed{{{_JOB}}}[10m])) > 0", 0),
        "CRITICAL",
        f"""The job `${{job}}` has ended with an error. Events wait in the subscription, and are kept there for days.

1. Why? {_JOB_LOGS}
2. Mend it and run `pulumi up`, which starts a job. It reads `event_log` back and so knows what the failed one knew.""",
    )
    yield Alert(
        "job-missing",
        "The streaming job does not run",
        Query(f"absent_over_time(dataflow_googleapis_com:job_system_lag{{{_JOB}}}[15m])", 300),
        "CRITICAL",
        f"""For 15 minutes there has been no job named `${{job}}` that reports: it was cancelled, drained, or has not
started. Events wait in the subscription.

1. What became of it? `gcloud dataflow jobs list --region={names.region} --filter='name=${{job}}'`
2. `pulumi refresh` and `pulumi up` start it again.""",
    )


def machine_alerts(role: str, machine: pulumi.Input[str], zone: str) -> Iterator[Alert]:
    """Alerts for a virtual machine that should always run."""
    yield Alert(
        f"{role}-down",
        f"The machine of the {role} is down",
        Query(f"absent_over_time(compute_googleapis_com:instance_uptime_total{{{_MACHINE}}}[10m])", 0),
        "CRITICAL",
        f"""For 10 minutes the machine `${{machine}}` has not said that it is up. It starts again by itself after a
crash.

1. Is it there? `gcloud compute instances describe ${{machine}} --zone={zone} --format='value(status)'`
2. Stopped? `gcloud compute instances start ${{machine}} --zone={zone}`
3. Does not start? `gcloud compute instances get-serial-port-output ${{machine}} --zone={zone} | tail -50`
4. Gone? `pulumi refresh` and `pulumi up` make it again; its data disk, if it has one, is kept.""",
        {"machine": machine},
    )


def disk_alerts(role: str, machine: pulumi.Input[str], zone: str, settings: OperationsSettings) -> Iterator[Alert]:
    """Alerts for the disks of a machine, of which Container-Optimized OS tells how full they are."""
    used, all_ = (
        f"sum by (device_name) (compute_googleapis_com:guest_disk_bytes_used{{{_DISKS}{state}}})"
        for state in (',state="used"', "")
    )
    yield Alert(
        f"{role}-disk",
        f"A disk of the {role} is over {settings.disk_share:.0%} full",
        Query(f"{used} / {all_} > {settings.disk_share:g}", 300),
        "ERROR",
        f"""A store takes no more data when its disk is full.

1. Which disk, and what is on it? `gcloud compute ssh ${{machine}} --zone={zone} --tunnel-through-iap
   --ssh-key-expire-after=1d --command='df -h; docker system df'`
2. Old images and logs? `docker system prune --force` on the machine.
3. Else make the data disk larger by the settings of `{role}`, and run `pulumi up`; a disk grows while it is used. Then
   `sudo resize2fs` with its device on the machine.""",
        {"machine": machine},
    )


def batch_alerts(environment: str, metric: str, settings: OperationsSettings) -> Iterator[Alert]:
    """Alerts for the batch job, by the line that ends each run; `metric` counts those lines."""
    hours, lines = settings.batch_hours, batch_log_filter(environment)
    good = f'logging_googleapis_com:user_{promql_name(metric)}{{monitored_resource="global",exit_code="0"}}'
    yield Alert(
        "batch-failed",
        "A batch run has failed",
        LogLine(f"{lines} AND jsonPayload.exit_code!=0"),
        "ERROR",
        f"""A batch run has ended with an exit code other than 0. The stores keep the answers of the run before.

1. Which code, and what did it say? In the logs: `{lines}`
2. The code 2 says that the settings are wrong; with the others the message says what to do.
3. Run it again once it is mended; a run that is repeated changes nothing twice.""",
    )
    yield Alert(
        "batch-missing",
        f"No batch run has ended well for {hours} hours",
        Query(f"absent_over_time({good}[{hours}h])", 3_600),
        "ERROR",
        f"""In the last {hours} hours no batch run has ended with the exit code 0, so that the stores' answers are old.

1. Has one begun at all? In the logs: `{lines}`
2. Is the machine up, and what does the job say? `pulumi stack output batch` has the command, `jobLog`.
3. Does a run take longer than the time between two? Make the machine larger, or set `batch` to `dataproc`.""",
    )


def batch_log_filter(environment: str) -> str:
    """A filter for the lines that end the batch runs of an environment."""
    return f'jsonPayload.event="{EVENT}" AND jsonPayload.environment="{environment}"'


def promql_name(name: str) -> str:
    """The name of a metric as PromQL takes it."""
    return "".join(one if one.isalnum() else "_" for one in name)


def _of_subscription(metric: str, variable: str) -> str:
    labels = f'monitored_resource="pubsub_subscription",subscription_id="${{{variable}}}"'
    return f"max(pubsub_googleapis_com:subscription_{metric}{{{labels}}})"


def _counted(counter: str) -> str:
    return f'delta(dataflow_googleapis_com:job_user_counter{{{_JOB},metric_name="{counter}"}}[15m])'
