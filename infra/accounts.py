"""A service account for one job. It has no key; what it may do is said beside each thing that it uses."""

import pulumi
from pulumi_gcp import serviceaccount

from infra.place import Place


def account(name: str, place: Place, description: str, opts: pulumi.ResourceOptions) -> serviceaccount.Account:
    """Declare the account that is called `name`, which has 30 characters at most."""
    return serviceaccount.Account(
        name,
        account_id=name,
        project=place.project,
        display_name=name,
        description=description,
        opts=opts,
    )
