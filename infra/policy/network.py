"""Rules for networks."""

from collections.abc import Iterator, Mapping
from typing import Final

from infra.policy.rule import Inputs, Rule, must_be, must_have, texts, values

IAP_RANGE: Final = "35.235.240.0/20"
"""The addresses that Google's Identity-Aware Proxy forwards from."""

_SSH: Final = 22
_FIREWALL: Final = ("gcp:compute/firewall:Firewall",)
_SUBNET: Final = ("gcp:compute/subnetwork:Subnetwork",)
_ANYWHERE: Final = ("0.0.0.0/0", "::/0", "0::/0")


def _lets_in(inputs: Inputs) -> bool:
    return "EGRESS" not in texts(inputs, "direction") and any(values(inputs, "allows"))


def _opens_ssh(inputs: Inputs) -> bool:
    return any(_covers_ssh(allow) for allow in values(inputs, "allows[]"))


def _covers_ssh(allow: object) -> bool:
    if not isinstance(allow, Mapping) or str(allow.get("protocol")).lower() not in ("tcp", "all", "6"):
        return False
    ranges = [str(port).partition("-") for port in values(allow, "ports[]")]
    return not ranges or any(int(low) <= _SSH <= int(high or low) for low, _, high in ranges if low.isdecimal())


def _opens_ssh_to_iap_alone(inputs: Inputs) -> Iterator[str]:
    if not _lets_in(inputs) or not _opens_ssh(inputs):
        return
    sources = list(texts(inputs, "sourceRanges[]"))
    # Machines of the same network are named by tag or service account; a rule that names none lets in everybody.
    if not sources and not any([*values(inputs, "sourceServiceAccounts"), *values(inputs, "sourceTags")]):
        yield "opens SSH to every address"
    yield from (f"opens SSH to {source}" for source in sources if source != IAP_RANGE)


def _is_closed(inputs: Inputs) -> Iterator[str]:
    if _lets_in(inputs):
        yield from (f"lets in {source}" for source in texts(inputs, "sourceRanges[]") if source in _ANYWHERE)


RULES: Final = (
    Rule(
        "firewall-ssh-from-iap",
        "SSH is open to Identity-Aware Proxy alone, which asks who it is.",
        _FIREWALL,
        _opens_ssh_to_iap_alone,
        f'Set source_ranges=["{IAP_RANGE}"].',
        ("CIS GCP 3.6", "CKV_GCP_2"),
    ),
    Rule(
        "firewall-closed",
        "No port is open to the internet.",
        _FIREWALL,
        _is_closed,
        "Name the addresses or the service accounts that may come in.",
        ("CIS GCP 3.7", "CKV_GCP_3", "CKV_GCP_88", "CKV_GCP_106"),
    ),
    Rule(
        "network-own-subnets",
        "A network has the subnets that are declared, not one in every region.",
        ("gcp:compute/network:Network",),
        must_be("autoCreateSubnetworks", False),
        "Set auto_create_subnetworks=False.",
        ("CIS GCP 3.1",),
    ),
    Rule(
        "subnet-flow-logs",
        "What talks to what is logged.",
        _SUBNET,
        must_have("logConfig"),
        "Set log_config.",
        ("CIS GCP 3.8", "CKV_GCP_26"),
    ),
    Rule(
        "subnet-private-access",
        "Google's services are reached without the internet.",
        _SUBNET,
        must_be("privateIpGoogleAccess", True),
        "Set private_ip_google_access=True.",
        ("CKV_GCP_74",),
    ),
)
