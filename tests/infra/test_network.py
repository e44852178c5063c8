"""The network lets in SSH through Google's proxy and nothing else."""

from infra.network import Network, NetworkArgs
from infra.place import Place
from infra.settings.network import NetworkSettings
from tests.infra.declared import Declared, declare

PLACE = Place("dev", "demo-project", "europe-west1", "europe-west1-b")


def network(settings: NetworkSettings | None = None) -> Declared:
    return declare(lambda: Network("dev-network", NetworkArgs(PLACE, settings or NetworkSettings())))


def test_machines_reach_google_without_public_addresses() -> None:
    subnet = network().one("gcp:compute/subnetwork:Subnetwork")
    assert subnet.inputs["privateIpGoogleAccess"]
    assert subnet.parent == "dev-network"
