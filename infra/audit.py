"""A record of who reads what: entries in Cloud Audit Logs that Google does not write by itself."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import projects

from infra.place import Place

_READ: Final = ("secretmanager", "storage")
"""Services whose reads can be logged one by one. BigQuery always logs its queries; a pull from Pub/Sub says nothing of
who reads, and there are very many of them."""


@dataclass(frozen=True)
class AuditArgs:
    """Where reads are logged, and of which services, by the first part of their names."""

    place: Place
    services: tuple[str, ...]


class Audit(pulumi.ComponentResource):
    """Logs who reads files of events, the archive and passwords: of the whole project, not of an environment alone."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Audit", name, None, opts)
        for service in (service for service in _READ if service in args.services):
            projects.IAMAuditConfig(
                f"{name}-{service}",
                project=args.place.project,
                service=f"{service}.googleapis.com",
                audit_log_configs=[projects.IAMAuditConfigAuditLogConfigArgs(log_type="DATA_READ")],
                # Another environment of the project may have set it, too, or the project's owner.
                opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
            )
        self.register_outputs({})
