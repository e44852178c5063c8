"""Alert policies, whom they tell, and the count of batch runs that one of them needs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import Template

import pulumi
from pulumi_gcp import logging, monitoring

from infra.alert_rules import (
    Alert,
    LogLine,
    Query,
    StreamNames,
    batch_alerts,
    batch_log_filter,
    disk_alerts,
    machine_alerts,
    stream_alerts,
)
from infra.place import Place
from infra.settings.operations import OperationsSettings

_EVALUATED_SECONDS = 30
_NOTIFIED_AT_MOST = "3600s"
_CLOSED_AFTER = "86400s"


@dataclass(frozen=True)
class AlertsArgs:
    """What there is to watch, by name; what is None or empty is not there."""

    place: Place
    settings: OperationsSettings
    stream: StreamNames | None
    has_batch: bool
    machines: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Machines that always run, by their role."""
    disks_of: tuple[str, ...] = ()
    """The roles of those whose disks fill up."""


class Alerts(pulumi.ComponentResource):
    """Alert policies with what to do in them, and a channel for each e-mail address."""

    channels: list[pulumi.Output[str]]
    """Names of the notification channels, for the budget too."""
    policies: list[pulumi.Output[str]]
    """Names of the policies."""

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Alerts", name, None, opts)
        self._args = args
        self.channels = [self._channel(email).name for email in args.settings.alert_emails]
        if args.has_batch:
            self._batch_runs()
        self.policies = [self._policy(alert).name for alert in alerts_of(args)]
        self.register_outputs({"channels": self.channels, "policies": self.policies})

    def _channel(self, email: str) -> monitoring.NotificationChannel:
        place = self._args.place
        return monitoring.NotificationChannel(
            place.name(f"alerts-{re.sub('[^a-z0-9]+', '-', email.lower())}"),
            project=place.project,
            type="email",
            display_name=f"{place.environment}: {email}",
            labels={"email_address": email},
            user_labels=place.labels("operations"),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _batch_runs(self) -> None:
        place = self._args.place
        name = batch_runs_metric(place)
        logging.Metric(
            name,
            name=name,
            project=place.project,
            description="Batch runs that have ended, by exit code",
            filter=batch_log_filter(place.environment),
            label_extractors={"exit_code": "EXTRACT(jsonPayload.exit_code)"},
            metric_descriptor=logging.MetricMetricDescriptorArgs(
                metric_kind="DELTA",
                value_type="INT64",
                unit="1",
                labels=[logging.MetricMetricDescriptorLabelArgs(key="exit_code", value_type="STRING")],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _policy(self, alert: Alert) -> monitoring.AlertPolicy:
        place = self._args.place
        return monitoring.AlertPolicy(
            place.name(f"alert-{alert.role}"),
            project=place.project,
            display_name=f"{place.environment}: {alert.title}",
            combiner="OR",
            severity=alert.severity,
            conditions=[_condition(alert)],
            documentation=monitoring.AlertPolicyDocumentationArgs(
                subject=f"{place.environment}: {alert.title}",
                content=filled_in(alert.advice, alert.names),
                mime_type="text/markdown",
            ),
            alert_strategy=_strategy(alert),
            notification_channels=self.channels,
            user_labels=place.labels("operations"),
            opts=pulumi.ResourceOptions(parent=self),
        )


def alerts_of(args: AlertsArgs) -> list[Alert]:
    """What there are alerts for."""
    place, settings = args.place, args.settings
    streaming: Iterable[Alert] = stream_alerts(args.stream, settings) if args.stream else ()
    batch: Iterable[Alert] = ()
    if args.has_batch:
        batch = batch_alerts(place.environment, batch_runs_metric(place), settings)
    return [
        *streaming,
        *batch,
        *(alert for role, name in args.machines.items() for alert in machine_alerts(role, name, place.zone)),
        *(alert for role in args.disks_of for alert in disk_alerts(role, args.machines[role], place.zone, settings)),
    ]


def filled_in(template: str, names: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """A text with the names in the place of its variables, once they are known."""
    return pulumi.Output.all(**names).apply(Template(template).substitute)


def batch_runs_metric(place: Place) -> str:
    """The name of the metric that counts batch runs."""
    return place.name("batch-runs")


def _condition(alert: Alert) -> monitoring.AlertPolicyConditionArgs:
    match alert.condition:
        case LogLine(filter=lines):
            return monitoring.AlertPolicyConditionArgs(
                display_name=alert.title,
                condition_matched_log=monitoring.AlertPolicyConditionConditionMatchedLogArgs(
                    filter=lines, label_extractors={"exit_code": "EXTRACT(jsonPayload.exit_code)"}
                ),
            )
        case Query(promql=promql, seconds=seconds):
            return monitoring.AlertPolicyConditionArgs(
                display_name=alert.title,
                condition_prometheus_query_language=monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
                    query=filled_in(promql, alert.names),
                    duration=f"{seconds}s",
                    evaluation_interval=f"{_EVALUATED_SECONDS}s",
                    # A metric is known only once it has been written.
                    disable_metric_validation=True,
                ),
            )


def _strategy(alert: Alert) -> monitoring.AlertPolicyAlertStrategyArgs:
    # Google asks for a rate where lines of the log are matched, and takes none elsewhere.
    limit = None
    if isinstance(alert.condition, LogLine):
        limit = monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs(period=_NOTIFIED_AT_MOST)
    return monitoring.AlertPolicyAlertStrategyArgs(auto_close=_CLOSED_AFTER, notification_rate_limit=limit)
