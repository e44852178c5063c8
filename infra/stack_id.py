"""What tells a stack from another one of the same name, for example that of another clone of this repository."""

import pulumi
from pulumi.dynamic import Resource

from infra.providers import FromSource


class StackId(Resource, module="shop", name="StackId"):
    """An id that is made once and kept in Pulumi's state."""

    value: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(FromSource("stack_id"), name, {"value": None}, opts)
