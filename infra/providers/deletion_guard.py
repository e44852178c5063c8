"""Makes nothing: a resource that only stands in Pulumi's state."""

from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider


class Provider(ResourceProvider):
    """Inputs and outputs: none."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Give it an id."""
        return CreateResult("deletion-guard", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Say that nothing ever changes, other code of this module neither."""
        return DiffResult(changes=False)
