"""Gives a stack an id of its own."""

import secrets
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider


class Provider(ResourceProvider):
    """No inputs. Outputs: `value`, 16 digits that no other stack has."""

    def create(self, _props: dict[str, Any]) -> CreateResult:
        """Make one."""
        value = secrets.token_hex(8)
        return CreateResult(value, {"value": value})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Say that it stays."""
        return DiffResult(changes=False)
