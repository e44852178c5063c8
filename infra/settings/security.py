"""Settings of what protects data."""

from dataclasses import dataclass

from infra.settings.declaration import setting
from infra.settings.forms import KMS_KEY
from infra.settings.rules import optional, switch


@dataclass(frozen=True)
class SecuritySettings:
    """What protects data from loss and from others."""

    deletion_protection: bool = setting(
        False,
        switch(),
        "refuse to delete tables, disks and buckets with objects, in `pulumi destroy` too: switch it off before",
    )
    log_reads: bool = setting(
        False, switch(), "log who reads objects and passwords, in the whole project; BigQuery logs queries in any case"
    )
    kms_key: str | None = setting(
        None, optional(KMS_KEY), "your key that all data at rest is encrypted with; Google's own where empty"
    )
