"""The registry of container images, in Artifact Registry."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import artifactregistry

from infra.place import Place

_KEPT: Final = 10
_OLD_SECONDS: Final = 30 * 86_400

Policy = artifactregistry.RepositoryCleanupPolicyArgs


@dataclass(frozen=True)
class RegistryArgs:
    """Where the registry is, and the key that encrypts it."""

    place: Place
    key: pulumi.Input[str] | None


class Registry(pulumi.ComponentResource):
    """A repository of images. The newest of each image are kept, others are deleted when they are a month old."""

    repository: pulumi.Output[str]
    """Name of the repository."""
    host: str
    """The registry's host."""
    url: pulumi.Output[str]
    """What the names of images begin with: HOST/PROJECT/REPOSITORY."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Registry", name, None, opts)
        place = args.place
        repository = artifactregistry.Repository(
            name,
            repository_id=name,
            project=place.project,
            location=place.region,
            format="DOCKER",
            description=f"Images of {place.environment}",
            cleanup_policy_dry_run=False,
            cleanup_policies=[
                Policy(
                    id="keep-newest",
                    action="KEEP",
                    most_recent_versions=artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(
                        keep_count=_KEPT
                    ),
                ),
                Policy(
                    id="delete-old",
                    action="DELETE",
                    condition=artifactregistry.RepositoryCleanupPolicyConditionArgs(older_than=f"{_OLD_SECONDS}s"),
                ),
            ],
            kms_key_name=args.key,
            labels=place.labels("images"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._project, self._location, self.repository = place.project, place.region, repository.repository_id
        self.host = f"{place.region}-docker.pkg.dev"
        self.url = pulumi.Output.concat(f"{self.host}/", place.project.replace(":", "/"), "/", self.repository)
        self.register_outputs({"repository": self.repository, "url": self.url})

    def let_read(self, name: str, member: pulumi.Input[str], parent: pulumi.Resource) -> pulumi.Resource:
        """Let an account pull images."""
        return artifactregistry.RepositoryIamMember(
            name,
            project=self._project,
            location=self._location,
            repository=self.repository,
            role="roles/artifactregistry.reader",
            member=member,
            opts=pulumi.ResourceOptions(parent=parent),
        )
