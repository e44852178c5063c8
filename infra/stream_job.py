"""The streaming pipeline on Dataflow: its template, its account, and the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_gcp import bigquery, dataflow, projects, pubsub, storage

from infra.accounts import account
from infra.flex_template import flex_template, template_name
from infra.foundation import Foundation
from infra.image import Image
from infra.messages import Messages
from infra.settings.load import Settings
from infra.warehouse import Warehouse

OUTPUT: Final = "streamJob"
"""Name of the output that keeps the job's identity for the next run."""


@dataclass(frozen=True)
class StreamJobArgs:
    """What the job reads, runs, writes and is in."""

    settings: Settings
    ground: Foundation
    image: Image
    messages: Messages
    warehouse: Warehouse


class StreamJob(pulumi.ComponentResource):
    """A running pipeline. A change of its code or options updates it in place; its state lives on."""

    job_name: str
    job_id: pulumi.Output[str]
    account: pulumi.Output[str]
    """E-mail address of the workers' account."""
    identity: dict[str, Any]
    """What the service cannot change in a running job."""

    def __init__(self, name: str, args: StreamJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:StreamJob", name, None, opts)
        self._name, self._args = name, args
        settings, place = args.settings.stream, args.ground.place
        worker = account(
            f"{name}-worker", place, "Workers of the streaming pipeline", pulumi.ResourceOptions(parent=self)
        )
        granted = self._grants(worker.member)
        template = self._template()
        self.identity = {
            "name": name,
            "region": place.region,
            "minWorkers": settings.min_workers,
            "maxWorkers": settings.max_workers,
            "streamingEngine": True,
        }
        job = dataflow.FlexTemplateJob(
            name,
            name=name,
            project=place.project,
            region=place.region,
            container_spec_gcs_path=pulumi.Output.concat("gs://", args.ground.storage.staging, "/", template.name),
            parameters=self._parameters(),
            service_account_email=worker.email,
            subnetwork=_url(args.ground.network.subnetwork),
            ip_configuration="WORKER_IP_PRIVATE",
            enable_streaming_engine=True,
            kms_key_name=args.ground.key,
            on_delete=settings.on_delete,
            skip_wait_on_job_termination=False,
            labels=place.labels("stream"),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=granted,
                # Two jobs of one name cannot run, so one that is replaced ends before the next begins.
                delete_before_replace=True,
                # The provider does not see the workers, which stand in the template.
                replacement_trigger=self.identity,
            ),
        )
        self.job_name, self.job_id, self.account = name, job.job_id, worker.email
        self.register_outputs({"job_id": self.job_id, "account": self.account})

    def _template(self) -> storage.BucketObject:
        args, settings = self._args, self._args.settings.stream
        staging = args.ground.storage.staging
        environment: dict[str, pulumi.Input[Any]] = {
            "machineType": settings.machine_type,
            "numWorkers": settings.min_workers,
            "maxWorkers": settings.max_workers,
            "sdkContainerImage": args.image.ref,
            "stagingLocation": pulumi.Output.concat("gs://", staging, "/staging"),
            "tempLocation": pulumi.Output.concat("gs://", staging, "/temp"),
        }
        content = flex_template(args.image.ref, environment)
        return storage.BucketObject(
            f"{self._name}-template",
            name=template_name(self._name, content),
            bucket=staging,
            content=content,
            content_type="application/json",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _parameters(self) -> dict[str, pulumi.Input[str]]:
        args, settings, days = self._args, self._args.settings.stream, self._args.settings.events
        return {
            "subscription": args.messages.subscription_path,
            "dataset": pulumi.Output.concat(args.ground.place.project, ".", args.warehouse.dataset),
            "archive": pulumi.Output.concat("gs://", args.ground.storage.archive, "/events"),
            "count_every_seconds": str(settings.count_every_seconds),
            "keep_days": str(settings.keep_days),
            "archive_every_seconds": str(settings.archive_every_seconds),
            "shards": str(settings.shards),
            "earliest": days.earliest,
            "latest": days.latest,
            # Of an update, the provider sends the image and the machine type that it last read of the running job,
            # which outweigh the template's. These are the pipeline's own options, and it takes them instead.
            "worker_image": args.image.ref,
            "worker_type": settings.machine_type,
        }

    def _grants(self, member: pulumi.Output[str]) -> list[pulumi.Resource]:
        """What the workers may do; the launcher of the template has their account too."""
        args, name = self._args, self._name
        child, project = pulumi.ResourceOptions(parent=self), args.ground.place.project
        of_project = [
            projects.IAMMember(
                f"{name}-worker-{role}", project=project, role=f"roles/{role}", member=member, opts=child
            )
            # Reading back the event log, as a job does that begins, is a session of the Storage Read API.
            for role in ("dataflow.worker", "bigquery.readSessionUser")
        ]
        of_subscription = [
            pubsub.SubscriptionIAMMember(
                f"{name}-worker-{role}",
                project=project,
                subscription=args.messages.subscription,
                role=f"roles/{role}",
                member=member,
                opts=child,
            )
            for role in ("pubsub.subscriber", "pubsub.viewer")
        ]
        of_tables = [
            bigquery.IamMember(
                f"{name}-worker-writes-{log}",
                project=project,
                dataset_id=args.warehouse.dataset,
                table_id=table,
                role="roles/bigquery.dataEditor",
                member=member,
                opts=child,
            )
            for log, table in args.warehouse.tables.items()
        ]
        of_buckets = [
            storage.BucketIAMMember(
                f"{name}-worker-writes-{role}",
                bucket=bucket,
                role="roles/storage.objectUser",
                member=member,
                opts=child,
            )
            for role, bucket in (("archive", args.ground.storage.archive), ("staging", args.ground.storage.staging))
        ]
        of_images = args.ground.registry.let_read(f"{name}-worker-pulls-images", member, self)
        return [*of_project, *of_subscription, *of_tables, *of_buckets, of_images]


def _url(subnetwork: pulumi.Output[str]) -> pulumi.Output[str]:
    return pulumi.Output.concat("https://www.googleapis.com/compute/v1/", subnetwork)


def replacements(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say which changes of a job's identity replace it; `before` may be empty."""
    return [
        f"{key} of the streaming job changes from {_shown(before[key])} to {after[key]}, which it cannot take. "
        "It ends as `stream.onDelete` says, and another begins, which first counts anew what event_log holds. Messages "
        "wait in the subscription meanwhile."
        for key in after
        if key in before and before[key] != after[key]
    ]


def warn_of_replacement(job: StreamJob) -> None:
    """Say in a preview, too, where the running job will be replaced: compare with the output of the last `up`."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    asked: pulumi.Output[Any] = pulumi.runtime.invoke_output("pulumi:pulumi:readStackOutputs", {"name": stack})

    def compare(known: dict[str, Any]) -> None:
        for text in replacements((known.get("outputs") or {}).get(OUTPUT) or {}, job.identity):
            pulumi.log.warn(text, job)

    asked.apply(compare)


def _shown(value: Any) -> Any:
    """The engine gives all numbers back as floating point."""
    return int(value) if isinstance(value, float) else value
