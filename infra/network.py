"""The network: a subnet without public addresses, a way out, and no way in but SSH through Google's own proxy."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import compute

from infra.place import Place
from infra.settings.network import NetworkSettings

IAP_RANGE = "35.235.240.0/20"
"""Where connections through Identity-Aware Proxy come from (source: Google Cloud, "Using IAP for TCP forwarding")."""
IAP_TAG = "ssh-by-iap"
"""Machines with this tag take SSH through the proxy."""


@dataclass(frozen=True)
class NetworkArgs:
    """Where the network is; `settings.existing` is used instead of a new one where it is given."""

    place: Place
    settings: NetworkSettings


class Network(pulumi.ComponentResource):
    """The network of an environment."""

    network: pulumi.Output[str]
    """Id of the network: projects/P/global/networks/N."""
    subnetwork: pulumi.Output[str]
    """Id of the subnetwork: projects/P/regions/R/subnetworks/S."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Network", name, None, opts)
        if args.settings.existing and args.settings.existing_subnetwork:
            self.network = pulumi.Output.from_input(args.settings.existing)
            self.subnetwork = pulumi.Output.from_input(args.settings.existing_subnetwork)
        else:
            self._make(name, args)
        self.register_outputs({"network": self.network, "subnetwork": self.subnetwork})

    def _make(self, name: str, args: NetworkArgs) -> None:
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        network = compute.Network(
            name,
            name=name,
            project=place.project,
            description=f"Machines and workers of {place.environment}",
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=child,
        )
        subnet = compute.Subnetwork(
            f"{name}-subnet",
            name=f"{name}-{place.region}",
            project=place.project,
            region=place.region,
            network=network.id,
            ip_cidr_range=args.settings.range,
            stack_type="IPV4_ONLY",
            private_ip_google_access=True,
            log_config=compute.SubnetworkLogConfigArgs(
                aggregation_interval="INTERVAL_5_SEC",
                flow_sampling=args.settings.flow_log_share,
                metadata="INCLUDE_ALL_METADATA",
            ),
            opts=child,
        )
        router = compute.Router(
            f"{name}-router",
            name=f"{name}-router",
            project=place.project,
            region=place.region,
            network=network.id,
            opts=child,
        )
        compute.RouterNat(
            f"{name}-nat",
            name=f"{name}-nat",
            project=place.project,
            region=place.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
            subnetworks=[
                compute.RouterNatSubnetworkArgs(name=subnet.id, source_ip_ranges_to_nats=["ALL_IP_RANGES"]),
            ],
            log_config=compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=child,
        )
        compute.Firewall(
            f"{name}-allow-ssh-by-iap",
            name=f"{name}-allow-ssh-by-iap",
            project=place.project,
            network=network.id,
            description="SSH to machines with the tag, through Identity-Aware Proxy only",
            direction="INGRESS",
            priority=1000,
            source_ranges=[IAP_RANGE],
            target_tags=[IAP_TAG],
            allows=[compute.FirewallAllowArgs(protocol="tcp", ports=["22"])],
            log_config=compute.FirewallLogConfigArgs(metadata="INCLUDE_ALL_METADATA"),
            opts=child,
        )
        compute.Firewall(
            f"{name}-deny-ingress",
            name=f"{name}-deny-ingress",
            project=place.project,
            network=network.id,
            description="Nothing else comes in; what tries is logged",
            direction="INGRESS",
            priority=65_534,
            source_ranges=["0.0.0.0/0"],
            denies=[compute.FirewallDenyArgs(protocol="all")],
            log_config=compute.FirewallLogConfigArgs(metadata="EXCLUDE_ALL_METADATA"),
            opts=child,
        )
        self.network, self.subnetwork = network.id, subnet.id
