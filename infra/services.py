"""The services of Google Cloud that the project needs, switched on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects

from infra.place import Place
from infra.settings import Settings

_ALWAYS: Final = (
    "artifactregistry",
    "cloudresourcemanager",
    "compute",
    "iam",
    "iamcredentials",
    "iap",
    "logging",
    "monitoring",
    "oslogin",
    "serviceusage",
    "storage",
)
_STREAM: Final = ("bigquery", "bigquerystorage", "dataflow", "pubsub")
_BATCH: Final = ("secretmanager",)


def services_of(settings: Settings) -> Iterator[str]:
    """The services that an environment needs, by the first part of their names, and no other."""
    yield from _ALWAYS
    if settings.stream.enabled:
        yield from _STREAM
    if settings.batch.on_google_cloud:
        yield from _BATCH
    if settings.batch.run == "dataproc":
        yield from ("cloudscheduler", "dataproc")
    if settings.security.kms_key:
        yield "cloudkms"
    if settings.operations.billing_account:
        yield from ("billingbudgets", "cloudbilling")
    if settings.ci.repository:
        yield "sts"


@dataclass(frozen=True)
class ServicesArgs:
    """Where services are switched on, by the first part of their names."""

    place: Place
    names: tuple[str, ...]


class Services(pulumi.ComponentResource):
    """Enabled services. They stay enabled when the environment is removed, as others in the project may use them."""

    names: tuple[str, ...]

    def __init__(self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Services", name, None, opts)
        self.names = args.names
        for service in args.names:
            projects.Service(
                f"{name}-{service}",
                project=args.place.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
