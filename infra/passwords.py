"""Passwords that nobody types: made once, kept encrypted in Pulumi's state, known by their role."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi.dynamic import Resource

from infra.providers import FromSource


class Passwords(Resource, module="shop", name="Passwords"):
    """A password of 160 bits for each role. One that is taken out and put in again is another."""

    values: pulumi.Output[Mapping[str, str]]

    def __init__(self, name: str, roles: Sequence[str], opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["values"]))
        super().__init__(FromSource("passwords"), name, {"roles": list(roles), "values": None}, secret)

    def __getitem__(self, role: str) -> pulumi.Output[str]:
        """The password of a role, a secret."""
        return pulumi.Output.secret(self.values.apply(lambda values: values[role]))
