"""Encryption at rest with a key of yours: the services that keep data may use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import bigquery, kms, organizations, projects, storage

from infra.place import Place

_IDENTITIES: Final = ("artifactregistry", "dataflow", "pubsub", "secretmanager")
"""Services whose agent is made on demand; the others have theirs from the start."""


@dataclass(frozen=True)
class EncryptionArgs:
    """Where the data is, and the key that encrypts it: None for Google's own keys."""

    place: Place
    key: str | None


class Encryption(pulumi.ComponentResource):
    """Lets the services that keep data use the key. Without a key it is empty."""

    key: pulumi.Output[str] | None
    """The key, to be given to what is encrypted."""

    def __init__(self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Encryption", name, None, opts)
        self.key = pulumi.Output.from_input(args.key) if args.key else None
        for service, member in self._agents(name, args.place) if args.key else ():
            kms.CryptoKeyIAMMember(
                f"{name}-{service}",
                crypto_key_id=args.key or "",
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"key": self.key})

    def _agents(self, name: str, place: Place) -> Iterator[tuple[str, pulumi.Output[str]]]:
        asked = pulumi.InvokeOutputOptions(parent=self)
        number = organizations.get_project_output(project_id=place.project, opts=asked).number
        yield (
            "bigquery",
            pulumi.Output.concat(
                "serviceAccount:", bigquery.get_default_service_account_output(place.project, asked).email
            ),
        )
        yield (
            "storage",
            pulumi.Output.concat(
                "serviceAccount:", storage.get_project_service_account_output(place.project, opts=asked).email_address
            ),
        )
        yield (
            "compute",
            pulumi.Output.concat("serviceAccount:service-", number, "@compute-system.iam.gserviceaccount.com"),
        )
        for service in _IDENTITIES:
            identity = projects.ServiceIdentity(
                f"{name}-{service}-agent",
                project=place.project,
                service=f"{service}.googleapis.com",
                opts=pulumi.ResourceOptions(parent=self),
            )
            yield service, identity.member
