"""What both pipelines stand on: services, encryption, the network, the registry of images, the buckets."""

from dataclasses import dataclass

import pulumi

from infra.audit import Audit, AuditArgs
from infra.encryption import Encryption, EncryptionArgs
from infra.network import Network, NetworkArgs
from infra.order import after
from infra.place import Place
from infra.registry import Registry, RegistryArgs
from infra.services import Services, ServicesArgs, services_of
from infra.settings import Settings
from infra.storage import Storage, StorageArgs


@dataclass(frozen=True)
class FoundationArgs:
    """The place and the settings of the environment."""

    settings: Settings


class Foundation(pulumi.ComponentResource):
    """The ground of an environment."""

    place: Place
    ready: pulumi.ResourceOptions
    """Options for what needs the services and the right to use the key."""
    services: Services
    network: Network
    registry: Registry
    storage: Storage
    key: pulumi.Output[str] | None
    """The key that data is encrypted with; None for Google's own."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Foundation", name, None, opts)
        settings, place = args.settings, args.settings.place
        child = pulumi.ResourceOptions(parent=self)
        services = Services(place.name("services"), ServicesArgs(place, tuple(services_of(settings))), child)
        used = EncryptionArgs(place, settings.security.kms_key, services)
        encryption = Encryption(place.name("encryption"), used, after(services, within=self))
        self.place, self.services, self.key = place, services, encryption.key
        self.ready = after(services, encryption)
        made = after(services, encryption, within=self)
        self.network = Network(place.name("network"), NetworkArgs(place, settings.network), made)
        self.registry = Registry(place.name("images"), RegistryArgs(place, self.key), made)
        self.storage = Storage(
            place.name("storage"), StorageArgs(place, settings.storage, settings.security, self.key), made
        )
        if settings.security.log_reads:
            Audit(place.name("audit"), AuditArgs(place, services.names), made)
        self.register_outputs({"network": self.network.network, "registry": self.registry.url})
