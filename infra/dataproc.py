"""The batch job on Dataproc Serverless: started each day by Cloud Scheduler, with the image that the host would run."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_gcp import cloudscheduler, compute, projects, serviceaccount, storage

from app.batch.settings import SERVER_STORES
from app.events.time_bounds import PlausibleDays
from infra.accounts import account
from infra.batch_host import STORES_TAG
from infra.batch_secrets import BatchSecrets
from infra.containers import cassandra, mysql, redis
from infra.containers.spark_job import store_environment
from infra.foundation import Foundation
from infra.image import Image
from infra.settings.batch import BatchSettings

JOB_TAG: Final = "batch-job"
"""Of the workers."""
_MAIN: Final = "file:///opt/shop/app/batch/dataproc_job.py"
_RUNTIME: Final = "3.0"
"""Dataproc's version, which has Spark 4."""
_LONGEST_RUN: Final = "21600s"
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True)
class DataprocArgs:
    """What the job reads, runs and writes to."""

    settings: BatchSettings
    ground: Foundation
    image: Image
    secrets: BatchSecrets
    events: pulumi.Input[str]
    """Event files: a gs:// address, glob or prefix."""
    stores: pulumi.Input[str]
    """The private address of the machine that has the stores."""
    days: PlausibleDays
    """The days that events may have."""


class Dataproc(pulumi.ComponentResource):
    """A daily Dataproc Serverless batch on the private subnet."""

    account: pulumi.Output[str]
    """E-mail address of the account that the job runs as."""
    starter: pulumi.Output[str]
    """E-mail address of the account that starts it."""

    def __init__(self, name: str, args: DataprocArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Dataproc", name, None, opts)
        self._name, self._args, self._place = name, args, args.ground.place
        child = pulumi.ResourceOptions(parent=self)
        own = account(name, self._place, "Batch job on Dataproc Serverless", child)
        starter = account(f"{name}-start", self._place, "Starts the batch job on Dataproc Serverless", child)
        granted = [*self._let_work(own), *self._let_start(starter, own), *self._open_ports()]
        self._schedule(own, starter, granted)
        self.account, self.starter = own.email, starter.email
        self.register_outputs({"account": self.account})

    def _schedule(
        self, own: serviceaccount.Account, starter: serviceaccount.Account, granted: list[pulumi.Resource]
    ) -> None:
        place = self._place
        hour, minute = self._args.settings.run_at.split(":")
        cloudscheduler.Job(
            self._name,
            name=self._name,
            project=place.project,
            region=place.region,
            description="Starts the batch job on Dataproc Serverless",
            schedule=f"{int(minute)} {int(hour)} * * *",
            time_zone="Etc/UTC",
            attempt_deadline="180s",
            retry_config=cloudscheduler.JobRetryConfigArgs(
                retry_count=3,
                min_backoff_duration="30s",
                max_backoff_duration="300s",
                max_doublings=3,
                max_retry_duration="0s",
            ),
            http_target=cloudscheduler.JobHttpTargetArgs(
                http_method="POST",
                uri=f"https://dataproc.googleapis.com/v1/projects/{place.project}/locations/{place.region}/batches",
                headers={"Content-Type": "application/json"},
                body=self._batch(own).apply(lambda batch: base64.b64encode(batch.encode()).decode()),
                oauth_token=cloudscheduler.JobHttpTargetOauthTokenArgs(
                    service_account_email=starter.email, scope=_SCOPE
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=granted),
        )

    def _batch(self, own: serviceaccount.Account) -> pulumi.Output[str]:
        """The batch as Dataproc takes it, JSON."""
        args, place = self._args, self._place
        variables = {
            **store_environment(args.stores),
            "BATCH_ENVIRONMENT": place.environment,
            "BATCH_LOG_PROJECT": place.project,
            "GOOGLE_CLOUD_PROJECT": place.project,
        }
        return pulumi.Output.json_dumps(
            {
                "pysparkBatch": {
                    "mainPythonFileUri": _MAIN,
                    "args": [
                        pulumi.Output.concat("--events=", args.events),
                        pulumi.Output.concat("--staging=gs://", args.ground.storage.staging, "/batch"),
                        f"--earliest={args.days.earliest}",
                        f"--latest={args.days.latest}",
                        *(
                            pulumi.Output.concat(
                                f"--secret={store.upper()}_PASSWORD=", args.secrets.version(f"{store}-loader")
                            )
                            for store in SERVER_STORES
                        ),
                    ],
                },
                "runtimeConfig": {
                    "version": _RUNTIME,
                    "containerImage": args.image.ref,
                    "properties": _driver_variables(variables),
                },
                "environmentConfig": {
                    "executionConfig": {
                        "serviceAccount": own.email,
                        "subnetworkUri": args.ground.network.subnetwork,
                        "networkTags": [JOB_TAG],
                        "stagingBucket": args.ground.storage.staging,
                        "ttl": _LONGEST_RUN,
                        **({"kmsKey": args.ground.key} if args.ground.key else {}),
                    }
                },
                "labels": place.labels("batch"),
            }
        )

    def _let_work(self, own: serviceaccount.Account) -> list[pulumi.Resource]:
        args, place, child = self._args, self._place, pulumi.ResourceOptions(parent=self)
        worker = projects.IAMMember(
            f"{self._name}-works",
            project=place.project,
            role="roles/dataproc.worker",
            member=own.member,
            opts=child,
        )
        buckets = [
            storage.BucketIAMMember(
                f"{self._name}-{does}", bucket=bucket, role=f"roles/storage.{role}", member=own.member, opts=child
            )
            for does, bucket, role in (
                ("reads-events", args.ground.storage.events, "objectViewer"),
                ("stages", args.ground.storage.staging, "objectUser"),
            )
        ]
        passwords = [
            args.secrets.let_read(f"{self._name}-reads-{store}-password", f"{store}-loader", own.member, self)
            for store in SERVER_STORES
        ]
        return [worker, *buckets, *passwords, args.ground.registry.let_read(f"{self._name}-pulls", own.member, self)]

    def _let_start(self, starter: serviceaccount.Account, own: serviceaccount.Account) -> list[pulumi.Resource]:
        place, child = self._place, pulumi.ResourceOptions(parent=self)
        # Google's own roles that let one start a batch let one do much else.
        role = projects.IAMCustomRole(
            f"{self._name}-start",
            role_id=f"{place.environment.replace('-', '_')}_batch_start",
            project=place.project,
            title=f"{place.environment}: start a batch on Dataproc",
            description="Start a batch on Dataproc Serverless, and nothing else",
            permissions=["dataproc.batches.create"],
            stage="GA",
            opts=child,
        )
        return [
            projects.IAMMember(
                f"{self._name}-starts",
                project=place.project,
                role=role.name,
                member=starter.member,
                opts=child,
            ),
            serviceaccount.IAMMember(
                f"{self._name}-starts-as",
                service_account_id=own.name,
                role="roles/iam.serviceAccountUser",
                member=starter.member,
                opts=child,
            ),
        ]

    def _open_ports(self) -> list[pulumi.Resource]:
        """Workers reach each other, as Spark wants it, and the stores."""
        offset = self._args.settings.port_offset
        stores = [str(port + offset) for port in (cassandra.PORT, redis.PORT, mysql.PORT)]
        return [
            self._allow("workers", JOB_TAG, [compute.FirewallAllowArgs(protocol=name) for name in ("tcp", "udp")]),
            self._allow("stores", STORES_TAG, [compute.FirewallAllowArgs(protocol="tcp", ports=stores)]),
        ]

    def _allow(self, role: str, tag: str, allows: list[compute.FirewallAllowArgs]) -> compute.Firewall:
        name = f"{self._name}-to-{role}"
        return compute.Firewall(
            name,
            name=name,
            project=self._place.project,
            network=self._args.ground.network.network,
            description=f"The batch job's workers reach {role}",
            direction="INGRESS",
            priority=1000,
            source_tags=[JOB_TAG],
            target_tags=[tag],
            allows=allows,
            log_config=compute.FirewallLogConfigArgs(metadata="INCLUDE_ALL_METADATA"),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _driver_variables(variables: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    return {f"spark.dataproc.driverEnv.{name}": value for name, value in sorted(variables.items())}
