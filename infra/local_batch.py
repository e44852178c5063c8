"""The batch pipeline on this computer's Docker daemon; nothing of it is in the cloud."""

from dataclasses import dataclass
from typing import Final

import pulumi

from app.dashboards.grafana import provisioning
from infra.batch_stack import ROLES, BatchStack, BatchStackArgs
from infra.containers.spark_job import JobArgs
from infra.local_image import LocalImage, LocalImageArgs
from infra.passwords import Passwords
from infra.settings.load import Settings

DOCKERFILE: Final = "app/batch/Dockerfile"


@dataclass(frozen=True)
class LocalBatchArgs:
    """The environment, and what its pipeline reads and takes of the computer."""

    environment: str
    settings: Settings


class LocalBatch(pulumi.ComponentResource):
    """The containers, with an image built from this code."""

    stack: BatchStack
    passwords: Passwords

    def __init__(self, name: str, args: LocalBatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:LocalBatch", name, None, opts)
        child, events = pulumi.ResourceOptions(parent=self), args.settings.batch.events or ""
        self.passwords = Passwords(f"{name}-passwords", ROLES, child)
        image = LocalImage(f"{name}-job", LocalImageArgs(DOCKERFILE), child)
        folder = events if events.startswith("/") else None
        self.stack = BatchStack(
            name,
            BatchStackArgs(
                environment=args.environment,
                settings=args.settings.batch,
                passwords=self.passwords,
                provisioned=provisioning(),
                job=JobArgs(
                    image.image_id, events, args.environment, args.settings.events.plausible_days, folder=folder
                ),
            ),
            child,
        )
        self.register_outputs({})
