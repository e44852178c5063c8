"""The publisher: a machine that replays event files to the topic, and goes on by itself where it was interrupted."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import compute, projects, pubsub, storage

from infra.accounts import account
from infra.cloud_init import Service, cloud_config
from infra.foundation import Foundation
from infra.image import Image
from infra.messages import Messages
from infra.network import IAP_TAG
from infra.settings.load import Settings

_SCOPES: Final = ("devstorage.read_write", "logging.write", "monitoring.write", "pubsub")


@dataclass(frozen=True)
class PublisherArgs:
    """What the publisher reads, runs and publishes to, and the network that it is in."""

    settings: Settings
    ground: Foundation
    image: Image
    messages: Messages


class Publisher(pulumi.ComponentResource):
    """A machine with Container-Optimized OS that runs `app.stream.replayer_command` as a service."""

    instance: pulumi.Output[str]
    """Name of the machine."""
    account: pulumi.Output[str]
    """E-mail address of its account."""

    def __init__(self, name: str, args: PublisherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Publisher", name, None, opts)
        place, settings = args.ground.place, args.settings.publisher
        publisher = account(name, place, "Publisher: replays event files", pulumi.ResourceOptions(parent=self))
        granted = _grants(name, args, publisher.member, self)
        instance = compute.Instance(
            name,
            name=name,
            project=place.project,
            zone=place.zone,
            description="Replays event files to Pub/Sub",
            machine_type=settings.machine_type,
            boot_disk=compute.InstanceBootDiskArgs(
                auto_delete=True,
                initialize_params=compute.InstanceBootDiskInitializeParamsArgs(
                    image="projects/cos-cloud/global/images/family/cos-stable", size=20, type="pd-balanced"
                ),
                kms_key_self_link=args.ground.key,
            ),
            network_interfaces=[compute.InstanceNetworkInterfaceArgs(subnetwork=args.ground.network.subnetwork)],
            service_account=compute.InstanceServiceAccountArgs(
                email=publisher.email, scopes=[f"https://www.googleapis.com/auth/{scope}" for scope in _SCOPES]
            ),
            shielded_instance_config=compute.InstanceShieldedInstanceConfigArgs(
                enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
            ),
            scheduling=compute.InstanceSchedulingArgs(automatic_restart=True, on_host_maintenance="MIGRATE"),
            metadata={
                "user-data": _user_data(args),
                "enable-oslogin": "TRUE",
                "block-project-ssh-keys": "TRUE",
                "serial-port-enable": "FALSE",
                "google-logging-enabled": "true",
                "google-monitoring-enabled": "true",
            },
            tags=[IAP_TAG],
            labels=place.labels("publisher"),
            allow_stopping_for_update=True,
            can_ip_forward=False,
            # The machine holds nothing: how far it is stands in the bucket of checkpoints. It reads its user data when
            # it starts, so a new image, or other files to replay, mean a new machine.
            deletion_protection=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=granted,
                replace_on_changes=["metadata"],
                delete_before_replace=True,
            ),
        )
        self.instance, self.account = instance.name, publisher.email
        self.register_outputs({"instance": self.instance, "account": self.account})


def _user_data(args: PublisherArgs) -> pulumi.Output[str]:
    settings, days = args.settings.publisher, args.settings.events
    options: dict[str, pulumi.Input[str]] = {
        "topic": args.messages.topic_path,
        "checkpoint": pulumi.Output.concat(
            "gs://", args.ground.storage.checkpoints, f"/replays/{settings.replay}.json"
        ),
        "block-rows": str(settings.block_rows),
        "earliest": days.earliest,
        "latest": days.latest,
    }
    options |= {
        name: str(value)
        for name, value in (("speed", settings.speed), ("start", settings.start), ("end", settings.end))
        if value is not None
    }
    return pulumi.Output.all(
        image=args.image.ref, events=args.ground.storage.events, options=pulumi.Output.all(**options)
    ).apply(
        lambda known: cloud_config(
            Service(
                name="publisher",
                description="Replays event files to Pub/Sub",
                image=known["image"],
                registry=args.ground.registry.host,
                entrypoint="python",
                arguments=(
                    "-m",
                    "app.stream.replayer_command",
                    "--json",
                    *(f"--{name}={value}" for name, value in known["options"].items()),
                    *(f"gs://{known['events']}/{file}" for file in settings.files),
                ),
                environment={"GOOGLE_CLOUD_PROJECT": args.ground.place.project},
            )
        )
    )


def _grants(name: str, args: PublisherArgs, member: pulumi.Output[str], parent: Publisher) -> list[pulumi.Resource]:
    child, project = pulumi.ResourceOptions(parent=parent), args.ground.place.project
    of_project = [
        projects.IAMMember(f"{name}-{role}", project=project, role=f"roles/{role}", member=member, opts=child)
        for role in ("logging.logWriter", "monitoring.metricWriter")
    ]
    of_buckets = [
        storage.BucketIAMMember(
            f"{name}-{does}", bucket=bucket, role=f"roles/storage.{role}", member=member, opts=child
        )
        for does, bucket, role in (
            ("reads-events", args.ground.storage.events, "objectViewer"),
            ("writes-checkpoints", args.ground.storage.checkpoints, "objectUser"),
        )
    ]
    of_topic = pubsub.TopicIAMMember(
        f"{name}-publishes",
        project=project,
        topic=args.messages.topic,
        role="roles/pubsub.publisher",
        member=member,
        opts=child,
    )
    return [*of_project, *of_buckets, of_topic, args.ground.registry.let_read(f"{name}-pulls-images", member, parent)]
