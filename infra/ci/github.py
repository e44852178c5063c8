"""The few calls of GitHub's API that the workflows need, with the job's own token."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_PAGE: Final = 100
_TIMEOUT_SECONDS: Final = 30
_LONGEST: Final = 65_000
"""Characters that GitHub takes of a comment or an issue."""


class GitHubError(RuntimeError):
    """GitHub has refused or not answered; the message says what and why."""


@dataclass(frozen=True)
class GitHub:
    """A repository, by the address of the API and a token that may write its issues or pull requests."""

    api: str
    repository: str
    token: str

    @staticmethod
    def of_workflow(environment: Mapping[str, str] = os.environ) -> "GitHub":
        """The repository that a workflow runs in. Raises GitHubError where a variable is missing."""
        names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise GitHubError(f"{', '.join(missing)} is not set: this runs in a workflow, with GITHUB_TOKEN in `env`")
        return GitHub(*(environment[name] for name in names))

    def keep_comment(self, pull_request: int, marker: str, body: str) -> None:
        """Write the comment that begins with a marker, in the place of the one that is there."""
        path = f"issues/{pull_request}/comments"
        there = next((one for one in self._all(path) if (one["body"] or "").startswith(marker)), None)
        text = _cut(f"{marker}\n{body}")
        if there:
            self._call("PATCH", f"issues/comments/{there['id']}", {"body": text})
        else:
            self._call("POST", path, {"body": text})

    def keep_issue(self, marker: str, title: str, body: str) -> None:
        """Open the issue whose text begins with a marker; where it is open, renew its text."""
        there = self._open_issue(marker)
        text = _cut(f"{marker}\n{body}")
        if there:
            self._call("PATCH", f"issues/{there['number']}", {"title": title, "body": text})
        else:
            self._call("POST", "issues", {"title": title, "body": text})

    def close_issue(self, marker: str, word: str) -> None:
        """Close the issue with a last word, if it is open."""
        there = self._open_issue(marker)
        if there:
            self._call("POST", f"issues/{there['number']}/comments", {"body": word})
            self._call("PATCH", f"issues/{there['number']}", {"state": "closed"})

    def _open_issue(self, marker: str) -> dict[str, Any] | None:
        found = self._all("issues", "state=open&")
        return next(
            (one for one in found if (one["body"] or "").startswith(marker) and "pull_request" not in one), None
        )

    def _all(self, path: str, query: str = "") -> Iterator[dict[str, Any]]:
        page = 1
        while found := self._call("GET", f"{path}?{query}per_page={_PAGE}&page={page}"):
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        address = f"{self.api}/repos/{self.repository}/{path}"
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        data = json.dumps(body).encode() if body is not None else None
        request = Request(address, data, headers, method=method)  # noqa: S310 - the address is the workflow's own
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise GitHubError(f"GitHub refused {method} {path} with {error.code}: {error.read()[:300]!r}") from error
        except URLError as error:
            raise GitHubError(f"GitHub did not answer {method} {path}: {error.reason}") from error


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n\n(cut; the workflow's log has all of it)"
