"""The forms of Google Cloud's names and places, which the provider would find wrong only while it makes things."""

from ipaddress import IPv4Network
from typing import Any, Final

from infra.settings.rules import Rule, text

_LABEL: Final = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"


def read_range(value: Any) -> str:
    """Read a range of private addresses; raises ValueError for another value."""
    addresses = IPv4Network(value)
    if not addresses.is_private or not 16 <= addresses.prefixlen <= 29 or not isinstance(value, str):
        raise ValueError
    return value


PROJECT_ID: Final = text(
    r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
    "the id of a project, 6 to 30 small letters, digits and hyphens",
    "my-project",
)
REGION: Final = text(r"[a-z]+(-[a-z]+)+[0-9]{1,2}", "a region", "europe-west1")
ZONE: Final = text(r"[a-z]+(-[a-z]+)+[0-9]{1,2}-[a-z]", "a zone of the region", "europe-west1-b")
LOCATION: Final = text(
    r"[a-z]+(-[a-z]+)+[0-9]{1,2}|US|EU", "a region, or one of the multi-regions EU and US", "europe-west1"
)
ENVIRONMENT: Final = text(
    r"(?!goog)(?!.*google)[a-z][a-z0-9-]{0,10}[a-z0-9]",
    "a stack named by 2 to 12 small letters, digits and hyphens, since the names of all resources begin with it",
    "dev",
)
MACHINE_TYPE: Final = text(
    r"[a-z][a-z0-9]*-(micro|small|medium|(standard|highmem|highcpu|ultramem|megamem|hypermem)-[0-9]+[a-z-]*"
    r"|custom-[0-9]+-[0-9]+(-ext)?)",
    "a machine type of Compute Engine",
    "e2-standard-2",
)
BUCKET_PREFIX: Final = text(
    r"(?!goog)(?!.*google)(?!.*g00gle)[a-z0-9][a-z0-9_-]{1,28}[a-z0-9]",
    "3 to 30 small letters, digits, hyphens and underscores, without google in it",
    "my-project",
)
RESOURCE_NAME: Final = text(
    r"(?!goog)[A-Za-z][A-Za-z0-9_.~+%-]{2,200}",
    "3 to 201 letters, digits and - _ . ~ + %, of which the first is a letter, not beginning with goog",
    "events",
)
DATASET: Final = text(r"[A-Za-z_][A-Za-z0-9_]{0,199}", "up to 200 letters, digits and underscores", "shop")
CIDR: Final = Rule("text", "a range of private addresses of 16 to 29 bits", "10.20.0.0/20", read_range)
NETWORK: Final = text(
    rf"projects/[a-z0-9.:-]+/global/networks/{_LABEL}",
    "the full name of a network",
    "projects/my-project/global/networks/shared",
)
SUBNETWORK: Final = text(
    rf"projects/[a-z0-9.:-]+/regions/[a-z0-9-]+/subnetworks/{_LABEL}",
    "the full name of a subnetwork in the region",
    "projects/my-project/regions/europe-west1/subnetworks/shared",
)
KMS_KEY: Final = text(
    r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}",
    "the full name of a key of Cloud KMS in the same location as the data",
    "projects/my-project/locations/europe-west1/keyRings/shop/cryptoKeys/data",
)
DATE: Final = text(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "a date", "2019-10-01")
TIME: Final = text(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?Z",
    "a time in UTC",
    "2019-10-01T08:00Z",
)
EMAIL: Final = text(r"[^\s@]+@[^\s@]+\.[^\s@]+", "an e-mail address", "on-call@example.com")
BILLING_ACCOUNT: Final = text(
    r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}", "the id of a billing account", "012345-6789AB-CDEF01"
)
BUCKET: Final = text(r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]", "the name of a bucket", "my-project-pulumi")
