"""The containers of the batch pipeline: Cassandra, Redis, MySQL, Grafana and the Spark job, on one Docker daemon.

The daemon is that of the docker provider in the component's options: this computer's, or a machine's in the cloud.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_docker as docker

from infra.containers.cassandra import cassandra
from infra.containers.dashboards import dashboards
from infra.containers.grafana import grafana
from infra.containers.leftovers import STACK_LABEL, leftovers_hook
from infra.containers.mysql import mysql
from infra.containers.redis import redis
from infra.containers.server import Server, ServerArgs, on_machine
from infra.containers.spark_job import STOP_SECONDS, JobArgs, first_run_seconds, spark_job
from infra.containers.spec import Spec
from infra.first_run import FirstRun, FirstRunArgs
from infra.labels import labels
from infra.order import after
from infra.passwords import Passwords
from infra.settings.batch import BatchSettings
from infra.shell import HERE, Shell
from infra.stack_id import StackId

LOOPBACK: Final = "127.0.0.1"
ROLES: Final = (
    *(f"{store}-{user}" for store in ("cassandra", "mysql") for user in ("admin", "loader", "grafana")),
    *("redis-loader", "redis-grafana"),
    "grafana-admin",
)
"""Whose passwords there are."""
FOLDERS: Final[Mapping[str, str]] = {
    "cassandra": "999:999",
    "redis": "999:999",
    "mysql": "999:999",
    "grafana": "472:0",
    "batch-job": "1099:1099",
}
"""The containers that keep data, with the user and group that it belongs to."""


@dataclass(frozen=True)
class BatchStackArgs:
    """What runs, and on what machine."""

    environment: str
    settings: BatchSettings
    passwords: Passwords
    """Of `ROLES`."""
    provisioned: Mapping[str, str]
    """Grafana's files: text by path in /etc/grafana."""
    job: JobArgs | None
    """The job; None where it runs elsewhere."""
    dashboard_writer: pulumi.Input[str] | None = None
    """Where the job runs elsewhere, id of its image on this daemon, to keep Grafana's dashboards up to date."""
    address: pulumi.Input[str] = LOOPBACK
    """The machine's address that the stores' ports are opened on."""
    data_folder: str | None = None
    """The machine's folder with a folder for each container; Docker's own volumes where None."""
    machine: pulumi.Resource | None = None
    """The machine, with which the containers go and come."""
    shell: Shell = HERE
    """Where Docker's CLI reaches the same daemon."""


class BatchStack(pulumi.ComponentResource):
    """The running containers. The job starts when its stores are well, Grafana beside it."""

    ports: Mapping[str, pulumi.Output[int | None]]
    """Of each server, on the machine."""

    def __init__(self, name: str, args: BatchStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:BatchStack", name, None, opts)
        self._args, settings = args, args.settings
        self._labels = labels(args.environment, "batch")
        # Not among the labels of volumes: another label would be another volume, without the data.
        self._owner = StackId(f"{name}-id", pulumi.ResourceOptions(parent=self)).value
        self._leftovers = leftovers_hook(f"{name}-leftovers", args.shell, self._owner)
        network_labels: dict[str, pulumi.Input[str]] = {**self._labels, STACK_LABEL: self._owner}
        self._network = docker.Network(
            name,
            name=name,
            driver="bridge",
            labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in sorted(network_labels.items())],
            opts=on_machine(self, args.machine, first=self._leftovers),
        )
        stores = {
            spec.role: self._server(spec, args.address)
            for spec in (
                cassandra(args.passwords, settings.cassandra_memory_mb),
                redis(args.passwords, settings.redis_memory_mb),
                mysql(args.passwords, settings.mysql_memory_mb),
            )
        }
        made = list(stores.values())
        volume = self._dashboards(name).name if args.job or args.dashboard_writer else None
        shown = self._server(
            grafana(args.passwords, settings.grafana_memory_mb, args.provisioned, volume), LOOPBACK, first=made
        )
        if args.job and volume is not None:
            job = self._server(spark_job(args.passwords, settings, args.job, volume), LOOPBACK, first=made)
            self._first_run(f"{args.environment}-first-run", job)
        elif args.dashboard_writer and volume is not None:
            self._server(dashboards(args.passwords, args.dashboard_writer, volume), LOOPBACK, first=made)
        self.ports = {role: server.port for role, server in (*stores.items(), ("grafana", shown))}
        self.register_outputs({"ports": self.ports})

    def _dashboards(self, name: str) -> docker.Volume:
        """The dashboards, which Grafana reads. They are made anew again and again, so they are on no disk."""
        return docker.Volume(
            f"{name}-dashboards",
            name=f"{name}-dashboards",
            driver="local",
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in sorted(self._labels.items())],
            opts=on_machine(self, self._args.machine),
        )

    def _first_run(self, name: str, job: Server) -> None:
        args = self._args
        FirstRun(
            name,
            FirstRunArgs(job.name, job.container.id, args.shell, first_run_seconds(args.settings), STOP_SECONDS),
            pulumi.ResourceOptions(parent=self, depends_on=[job], deleted_with=args.machine),
        )

    def _server(self, spec: Spec, address: pulumi.Input[str], first: list[Server] | None = None) -> Server:
        args = self._args
        return Server(
            f"{args.environment}-{spec.role}",
            ServerArgs(
                spec=spec,
                network=self._network.name,
                labels=self._labels,
                owner=self._owner,
                leftovers=self._leftovers,
                address=address,
                port_offset=args.settings.port_offset,
                data_folder=args.data_folder,
                machine=args.machine,
            ),
            after(*(first or ()), within=self),
        )
