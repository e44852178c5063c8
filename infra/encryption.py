"""Encryption at rest with a key of yours: the services that keep data may use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import bigquery, kms, organizations, projects, storage

from infra.place import Place
from infra.services import Services

_IDENTITIES: Final = ("artifactregistry", "dataflow", "pubsub", "secretmanager")
"""Services whose agent is made on demand; the others have theirs from the start."""


@dataclass(frozen=True)
class EncryptionArgs:
    """Where the data is, the key that encrypts it (None for Google's own keys), and the services in use."""

    place: Place
    key: str | None
    services: Services


class Encryption(pulumi.ComponentResource):
    """Lets the services that keep data use the key. Without a key it is empty."""

    key: pulumi.Output[str] | None
    """The key, to be given to what is encrypted."""

    def __init__(self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Encryption", name, None, opts)
        self.key = pulumi.Output.from_input(args.key) if args.key else None
        for service, member in self._agents(name, args) if args.key else ():
            kms.CryptoKeyIAMMember(
                f"{name}-{service}",
                crypto_key_id=args.key or "",
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"key": self.key})

    def _agents(self, name: str, args: EncryptionArgs) -> Iterator[tuple[str, pulumi.Output[str]]]:
        """Each service in use that keeps data, with the member of IAM that it is."""
        place = args.place
        asked = pulumi.InvokeOutputOptions(parent=self, depends_on=[args.services])
        number = organizations.get_project_output(project_id=place.project, opts=asked).number
        member = pulumi.Output.concat
        yield "compute", member("serviceAccount:service-", number, "@compute-system.iam.gserviceaccount.com")
        storing = storage.get_project_service_account_output(place.project, opts=asked)
        yield "storage", member("serviceAccount:", storing.email_address)
        if "bigquery" in args.services.names:
            asking = bigquery.get_default_service_account_output(place.project, opts=asked)
            yield "bigquery", member("serviceAccount:", asking.email)
        for service in (service for service in _IDENTITIES if service in args.services.names):
            identity = projects.ServiceIdentity(
                f"{name}-{service}-agent",
                project=place.project,
                service=f"{service}.googleapis.com",
                opts=pulumi.ResourceOptions(parent=self),
            )
            yield service, identity.member
