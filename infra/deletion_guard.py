"""Keeps an environment from being half destroyed.

Pulumi deletes what nothing depends on first, side by side, and asks of each resource only when its turn comes whether
it is protected. So a guard depends on all that it guards: its turn comes first, it comes alone, and where it is
protected nothing else goes.
"""

from collections.abc import Sequence

import pulumi
from pulumi.dynamic import Resource

from infra.providers import FromSource


class DeletionGuard(Resource, module="shop", name="DeletionGuard"):
    """Stands before the deletion of resources, components with all that is in them."""

    def __init__(
        self, name: str, guarded: Sequence[pulumi.Resource], parent: pulumi.Resource, *, protects: bool
    ) -> None:
        # It is there without protection too: switching that off has to change it before it may go.
        opts = pulumi.ResourceOptions(parent=parent, depends_on=list(guarded), protect=protects)
        super().__init__(FromSource("deletion_guard"), name, {}, opts)
