"""The labels that every resource carries which takes any: whose it is, and who changes it."""


def labels(environment: str, component: str) -> dict[str, str]:
    """Give the labels of a resource; costs are split by them."""
    return {"environment": environment, "component": component, "managed-by": "pulumi"}
