"""Where an environment is, and how what belongs to it is named."""

from dataclasses import dataclass

from infra.labels import labels


@dataclass(frozen=True)
class Place:
    """A project and a region of Google Cloud, with the environment that is built there."""

    environment: str
    project: str
    region: str
    zone: str

    def name(self, role: str) -> str:
        """Name what has a role in the environment: `dev-network`."""
        return f"{self.environment}-{role}"

    def labels(self, component: str) -> dict[str, str]:
        """Give the labels of a component's resources."""
        return labels(self.environment, component)
