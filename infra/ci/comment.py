"""Puts the sections of all environments into one comment of a pull request, in the place of the one before:

    python -m infra.ci.comment --sections sections --environments dev,prod --pull-request 12 --commit 0123abc

Needs GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN, as a workflow has them. Ends with 1 where GitHub refuses.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from infra.ci.github import GitHub, GitHubError

MARKER: Final = "<!-- shop: preview -->"
_MISSING: Final = "**There is nothing of it:** the run has failed before; its log says why."


def main(arguments: list[str] | None = None) -> int:
    """Write the comment and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.ci.comment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sections", required=True, type=Path, help="folder of a file for each environment")
    parser.add_argument("--environments", required=True, help="those that were looked at, with commas between")
    parser.add_argument("--pull-request", required=True, type=int, help="its number")
    parser.add_argument("--commit", required=True, help="what was previewed")
    given = parser.parse_args(arguments)
    body = f"## Preview of {given.commit[:12]}\n\n{sections_of(given.sections, given.environments.split(','))}"
    try:
        GitHub.of_workflow().keep_comment(given.pull_request, MARKER, body)
    except GitHubError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def sections_of(folder: Path, environments: Sequence[str]) -> str:
    """The sections in the folder, one after the other; that of an environment without a file says so."""
    files = {file.stem: file for file in folder.rglob("*.md")}
    sections = (files[name].read_text() if name in files else f"### {name}\n\n{_MISSING}\n" for name in environments)
    return "\n".join(section for section in sections if section)


if __name__ == "__main__":
    sys.exit(main())
