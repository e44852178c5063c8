"""Settings of the identity that CI has in Google Cloud."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from infra.settings.declaration import Problem, setting
from infra.settings.forms import BUCKET, KMS_KEY
from infra.settings.rules import integer, optional, text

_SUBJECT_BYTES: Final = 127


@dataclass(frozen=True)
class CiSettings:
    """The repository whose workflows may preview and deploy. Without a repository CI has no identity."""

    repository: str | None = setting(
        None,
        optional(text(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}", "owner/name of a GitHub repository", "me/shop")),
        "the repository whose workflows may preview and deploy",
    )
    repository_id: int | None = setting(
        None,
        optional(integer(1, 10**15, 123456789)),
        "its number, by `gh api repos/OWNER/NAME --jq .id`, since a deleted repository's name can be taken",
    )
    branch: str = setting(
        "main", text(r"[A-Za-z0-9._/-]{1,200}", "name of a branch", "main"), "the branch that is deployed"
    )
    pool: str = setting(
        "github",
        text(r"(?!gcp-)[a-z][a-z0-9-]{2,18}", "3 to 19 small letters, digits and hyphens", "github2"),
        "name of the identity pool, after the environment; Google keeps a deleted one's name for 30 days",
    )
    state_bucket: str | None = setting(
        None, optional(BUCKET), "the bucket that Pulumi keeps its state in, which CI may read and write"
    )
    state_key: str | None = setting(None, optional(KMS_KEY), "the key that Pulumi encrypts secrets in its state with")

    @property
    def longest_subject(self) -> str:
        """The longest name that GitHub's tokens give to a workflow."""
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that a name is given without the number or the other way round, or is longer than Google takes."""
        if self.repository and len(self.longest_subject) > _SUBJECT_BYTES:
            allowed = f"shorter, as {self.longest_subject} may have {_SUBJECT_BYTES} characters"
            yield Problem(f"{key}.repository", self.repository, allowed, "")
        for name, one, other, example in (
            ("repository", self.repository, self.repository_id, "me/shop"),
            ("repositoryId", self.repository_id, self.repository, "123456789"),
            ("stateBucket", self.state_bucket, self.repository, BUCKET.example),
        ):
            if other and not one:
                allowed = "the repository's name and number, and the bucket of Pulumi's state, or none of them"
                yield Problem(f"{key}.{name}", None, allowed, example)
