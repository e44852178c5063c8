"""Makes passwords."""

import secrets
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    """Inputs: `roles`. Outputs: `values`, a password for each of them."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make them all."""
        return CreateResult("passwords", _outputs(props["roles"], {}))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Say whether roles came or went; other code of this module changes nothing."""
        return DiffResult(changes=sorted(olds["roles"]) != sorted(news["roles"]))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Keep those that there are."""
        return UpdateResult(_outputs(news["roles"], olds["values"]))


def _outputs(roles: list[str], known: Mapping[str, str]) -> dict[str, Any]:
    # Letters and digits alone, so that no language that they are written in needs to quote one.
    return {"roles": roles, "values": {role: known.get(role) or secrets.token_hex(20) for role in roles}}
