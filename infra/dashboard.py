"""The dashboard of an environment: what an engineer on call looks at first."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
from pulumi_gcp import monitoring

from infra.alert_rules import StreamNames, promql_name
from infra.alerts import batch_runs_metric, filled_in
from infra.place import Place

_COLUMNS: Final = 48
_WIDTH: Final = 24
_HEIGHT: Final = 16


@dataclass(frozen=True)
class Chart:
    """A chart: PromQL queries by the name of what they show, and their unit, in Google's words."""

    title: str
    unit: str
    queries: dict[str, str]


@dataclass(frozen=True)
class DashboardArgs:
    """What there is to show; what is None, empty or False is not there."""

    place: Place
    stream: StreamNames | None
    has_batch: bool
    machines: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """By their role, a word."""


class Dashboard(pulumi.ComponentResource):
    """The dashboard in Cloud Monitoring."""

    url: pulumi.Output[str]
    """Where to look at it."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Dashboard", name, None, opts)
        project = args.place.project
        names = {**(args.stream.variables if args.stream else {}), **args.machines}
        dashboard = monitoring.Dashboard(
            name,
            project=project,
            dashboard_json=filled_in(dashboard_json(args), names),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # The id is projects/NUMBER/dashboards/ID.
        number = dashboard.id.apply(lambda full: full.rpartition("/")[2])
        self.url = pulumi.Output.format(
            "https://console.cloud.google.com/monitoring/dashboards/builder/{0}?project={1}", number, project
        )
        self.register_outputs({"url": self.url})


def dashboard_json(args: DashboardArgs) -> str:
    """The dashboard as Cloud Monitoring takes it, two charts a row; names are variables such as `${job}`."""
    tiles = [
        {
            "xPos": place % 2 * _WIDTH,
            "yPos": place // 2 * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
            "widget": _widget(chart),
        }
        for place, chart in enumerate(charts(args))
    ]
    return json.dumps(
        {
            "displayName": f"Shop, {args.place.environment}",
            "mosaicLayout": {"columns": _COLUMNS, "tiles": [_without_zeros(tile) for tile in tiles]},
        }
    )


def charts(args: DashboardArgs) -> list[Chart]:
    """The charts, the most urgent first."""
    return [
        *(_stream_charts() if args.stream else ()),
        *(_batch_charts(args.place) if args.has_batch else ()),
        *(_machine_charts(args.machines) if args.machines else ()),
    ]


def _stream_charts() -> Iterator[Chart]:
    read = '{monitored_resource="pubsub_subscription",subscription_id="${subscription}"}'
    job = 'monitored_resource="dataflow_job",job_name="${job}"'
    yield Chart(
        "How far behind the pipeline is",
        "s",
        {
            "oldest message that waits": f"max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{read})",
            "lag of the job": f"max(dataflow_googleapis_com:job_system_lag{{{job}}})",
            "age of the watermark": f"max(dataflow_googleapis_com:job_data_watermark_age{{{job}}})",
        },
    )
    yield Chart(
        "Messages that wait",
        "1",
        {"for the pipeline": f"max(pubsub_googleapis_com:subscription_num_undelivered_messages{read})"},
    )
    counter = f"dataflow_googleapis_com:job_user_counter{{{job},metric_name="
    yield Chart(
        "Rows a second",
        "1/s",
        {
            "read": f'sum(delta({counter}"rows_read"}}[5m])) / 300',
            "bad": f'sum(delta({counter}"rows_bad"}}[5m])) / 300',
        },
    )
    yield Chart(
        "Virtual processors of the job",
        "1",
        {"processors": f"max(dataflow_googleapis_com:job_current_num_vcpus{{{job}}})"},
    )


def _batch_charts(place: Place) -> Iterator[Chart]:
    metric = f'logging_googleapis_com:user_{promql_name(batch_runs_metric(place))}{{monitored_resource="global"}}'
    yield Chart("Batch runs of a day by exit code", "1", {"runs": f"sum by (exit_code) (increase({metric}[1d]))"})


def _machine_charts(roles: Iterable[str]) -> Iterator[Chart]:
    names = "|".join(f"${{{role}}}" for role in roles)
    labels = f'monitored_resource="gce_instance",instance_name=~"{names}"'
    yield Chart(
        "Machines, processors in use",
        "10^2.%",
        {"use": f"max by (instance_name) (compute_googleapis_com:instance_cpu_utilization{{{labels}}})"},
    )


def _widget(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "xyChart": {
            "dataSets": [
                {
                    "legendTemplate": name,
                    "plotType": "LINE",
                    "targetAxis": "Y1",
                    "timeSeriesQuery": {"prometheusQuery": query, "unitOverride": chart.unit},
                }
                for name, query in chart.queries.items()
            ],
            "yAxis": {"scale": "LINEAR"},
        },
    }


def _without_zeros(tile: dict[str, Any]) -> dict[str, Any]:
    # Cloud Monitoring leaves zeros out, and a refresh would find that changed.
    return {key: value for key, value in tile.items() if value != 0}
