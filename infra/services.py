"""The services of Google Cloud that the project needs, switched on."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects

from infra.place import Place

SERVICES: Final = (
    "artifactregistry",
    "bigquery",
    "bigquerystorage",
    "billingbudgets",
    "cloudbilling",
    "cloudkms",
    "cloudresourcemanager",
    "cloudscheduler",
    "compute",
    "dataflow",
    "dataproc",
    "iam",
    "iamcredentials",
    "iap",
    "logging",
    "monitoring",
    "oslogin",
    "pubsub",
    "secretmanager",
    "serviceusage",
    "storage",
    "sts",
)
"""By the first part of their names."""


@dataclass(frozen=True)
class ServicesArgs:
    """Where the services are switched on."""

    place: Place


class Services(pulumi.ComponentResource):
    """Enabled services. They stay enabled when the environment is removed, as others in the project may use them."""

    def __init__(self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Services", name, None, opts)
        for service in SERVICES:
            projects.Service(
                f"{name}-{service}",
                project=args.place.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
