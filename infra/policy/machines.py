"""Rules for virtual machines."""

import re
from collections.abc import Iterator
from typing import Final

from infra.policy.rule import Check, Inputs, Rule, all_of, must_be, must_have, must_not_have, texts

_MACHINE: Final = (
    "gcp:compute/instance:Instance",
    "gcp:compute/instanceTemplate:InstanceTemplate",
    "gcp:compute/regionInstanceTemplate:RegionInstanceTemplate",
)
_TRUE: Final = ("true", "TRUE", True)
_DEFAULT_ACCOUNT: Final = re.compile(r"\d+-compute@developer\.gserviceaccount\.com|.*@appspot\.gserviceaccount\.com")
_FULL_SCOPE: Final = ("cloud-platform", "https://www.googleapis.com/auth/cloud-platform")


def _metadata(key: str) -> Check:
    return must_be(f"metadata.{key}", _TRUE)


def _has_own_account(inputs: Inputs) -> Iterator[str]:
    yield from must_have("serviceAccount.email")(inputs)
    for email in texts(inputs, "serviceAccount.email"):
        if _DEFAULT_ACCOUNT.fullmatch(email):
            yield f"runs as the default service account {email}"


RULES: Final = (
    Rule(
        "vm-no-public-address",
        "A virtual machine has no address on the internet.",
        _MACHINE,
        all_of(
            must_not_have("networkInterfaces[].accessConfigs[]"),
            must_not_have("networkInterfaces[].ipv6AccessConfigs[]"),
        ),
        "Leave access_configs out; Cloud NAT leads out, and IAP leads in.",
        ("CIS GCP 4.9", "CKV_GCP_40"),
    ),
    Rule(
        "vm-shielded",
        "A virtual machine starts only what was signed, and notices what changed.",
        _MACHINE,
        all_of(
            must_be("shieldedInstanceConfig.enableSecureBoot", True),
            must_be("shieldedInstanceConfig.enableVtpm", True),
            must_be("shieldedInstanceConfig.enableIntegrityMonitoring", True),
        ),
        "Set all three of shielded_instance_config.",
        ("CIS GCP 4.8", "CKV_GCP_39"),
    ),
    Rule(
        "vm-no-project-keys",
        "SSH keys of the project do not open a virtual machine.",
        _MACHINE,
        _metadata("block-project-ssh-keys"),
        'Set metadata "block-project-ssh-keys" to "TRUE".',
        ("CIS GCP 4.3", "CKV_GCP_32"),
    ),
    Rule(
        "vm-os-login",
        "Who logs in is a person with a role, not the holder of a key.",
        _MACHINE,
        _metadata("enable-oslogin"),
        'Set metadata "enable-oslogin" to "TRUE".',
        ("CIS GCP 4.4", "CKV_GCP_34"),
    ),
    Rule(
        "vm-no-serial-port",
        "The serial port is not open.",
        _MACHINE,
        must_not_have("metadata.serial-port-enable", *_TRUE, "1", 1),
        'Leave metadata "serial-port-enable" out.',
        ("CIS GCP 4.5", "CKV_GCP_35"),
    ),
    Rule(
        "vm-no-forwarding",
        "A virtual machine does not forward packets of others.",
        _MACHINE,
        must_not_have("canIpForward", True),
        "Leave can_ip_forward out.",
        ("CIS GCP 4.6", "CKV_GCP_36"),
    ),
    Rule(
        "vm-own-service-account",
        "A virtual machine runs as a service account of its own.",
        _MACHINE,
        _has_own_account,
        "Set service_account with the account that was made for this job.",
        ("CIS GCP 4.1", "CKV_GCP_30"),
    ),
    Rule(
        "vm-no-full-scope",
        "A virtual machine's token is good only for the services that it uses.",
        _MACHINE,
        must_not_have("serviceAccount.scopes[]", *_FULL_SCOPE),
        "Name the scopes, such as pubsub or devstorage.read_only.",
        ("CIS GCP 4.2", "CKV_GCP_31"),
    ),
    Rule(
        "project-no-ssh-keys",
        "No SSH keys for all machines of a project.",
        ("gcp:compute/projectMetadata*:ProjectMetadata*",),
        all_of(must_not_have("metadata.ssh-keys"), must_not_have("key", "ssh-keys", "sshKeys")),
        "Give the role roles/compute.osLogin instead.",
        ("CIS GCP 4.3",),
    ),
)
