"""Settings of the network."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.settings.declaration import Problem, setting
from infra.settings.forms import CIDR, NETWORK, SUBNETWORK
from infra.settings.rules import number, optional


@dataclass(frozen=True)
class NetworkSettings:
    """The network that machines and workers are in: one of its own, or yours."""

    range: str = setting("10.20.0.0/20", CIDR, "addresses of the subnet; not used with a network of yours")
    flow_log_share: float = setting(0.5, number(0.01, 1, 0.5), "share of the connections that flow logs keep")
    existing: str | None = setting(
        None,
        optional(NETWORK),
        "your network, used instead of one made; it needs private Google access and SSH from 35.235.240.0/20",
    )
    existing_subnetwork: str | None = setting(None, optional(SUBNETWORK), "your subnetwork, together with `existing`")

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that one of the network and the subnetwork is missing."""
        for name, one, other, rule in (
            ("existing", self.existing, self.existing_subnetwork, NETWORK),
            ("existingSubnetwork", self.existing_subnetwork, self.existing, SUBNETWORK),
        ):
            if other and not one:
                yield Problem(f"{key}.{name}", None, f"{rule.allowed}: both or none are given", rule.example)
