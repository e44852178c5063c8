"""The batch pipeline in the cloud: the stores on a machine, the job beside them or on Dataproc Serverless."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from app.dashboards.grafana import provisioning
from infra.batch_host import DATA_FOLDER, BatchHost, BatchHostArgs
from infra.batch_secrets import BatchSecrets, BatchSecretsArgs
from infra.batch_stack import FOLDERS, LOOPBACK, ROLES, BatchStack, BatchStackArgs
from infra.containers.spark_job import JobArgs
from infra.dataproc import Dataproc, DataprocArgs
from infra.foundation import Foundation
from infra.image import Image, ImageArgs
from infra.local_batch import DOCKERFILE
from infra.order import after
from infra.passwords import Passwords
from infra.settings.load import Settings


@dataclass(frozen=True)
class CloudBatchArgs:
    """The settings of the environment, and what the pipeline stands on."""

    settings: Settings
    ground: Foundation


class CloudBatch(pulumi.ComponentResource):
    """The machine, its containers, their passwords, and the job."""

    host: BatchHost
    stack: BatchStack
    dataproc: Dataproc | None
    """Where the job runs, if not on the machine."""

    def __init__(self, name: str, args: CloudBatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:CloudBatch", name, None, opts)
        self._name, self._args, self._child = name, args, pulumi.ResourceOptions(parent=self)
        place, settings, ground = args.ground.place, args.settings.batch, args.ground
        days = args.settings.events.plausible_days
        events = settings.events or pulumi.Output.concat("gs://", ground.storage.events, "/events/")
        passwords = Passwords(f"{name}-passwords", ROLES, self._child)
        secrets = BatchSecrets(f"{name}-secrets", BatchSecretsArgs(place, passwords, ROLES, ground.key), self._child)
        image = Image(f"{name}-job", ImageArgs(ground.registry, DOCKERFILE), self._child)
        address = None if settings.run_on_host else self._address()
        self.host = BatchHost(
            f"{name}-host",
            BatchHostArgs(settings, ground, FOLDERS, args.settings.security.deletion_protection, address),
            self._child,
        )
        pulled = self.host.pull(image)
        job = None
        if settings.run_on_host:
            job = JobArgs(pulled, events, place.environment, days, log_project=place.project)
        self.stack = BatchStack(
            name,
            BatchStackArgs(
                environment=place.environment,
                settings=settings,
                passwords=passwords,
                provisioned=provisioning(),
                job=job,
                dashboard_writer=None if job else pulled,
                address=address or LOOPBACK,
                data_folder=DATA_FOLDER,
                machine=self.host.instance,
                shell=self.host.shell,
            ),
            pulumi.ResourceOptions(parent=self, providers=[self.host.daemon]),
        )
        self.dataproc = None
        if address:
            self.dataproc = Dataproc(
                place.name("batch-job"),
                DataprocArgs(settings, ground, image, secrets, events, address, days),
                after(self.stack, within=self),
            )
        self.register_outputs({})

    def _address(self) -> pulumi.Output[str]:
        """A private address that stays, for those who come from other machines."""
        place = self._args.ground.place
        address = compute.Address(
            f"{self._name}-stores",
            name=f"{self._name}-stores",
            project=place.project,
            region=place.region,
            address_type="INTERNAL",
            subnetwork=self._args.ground.network.subnetwork,
            description="The batch pipeline's stores",
            labels=place.labels("batch"),
            opts=self._child,
        )
        return address.address
