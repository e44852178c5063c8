"""Keeps one issue open while an environment differs from the program, and closes it when none does:

    python -m infra.ci.issue --sections sections --environments dev,prod --run https://github.com/me/shop/actions/runs/1

An empty section means that an environment is as the program says; one that is missing, that it could not be looked at.
Needs GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN, as a workflow has them. Ends with 1 where GitHub refuses.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from infra.ci.comment import sections_of
from infra.ci.github import GitHub, GitHubError

MARKER: Final = "<!-- shop: drift -->"
TITLE: Final = "The cloud differs from the program"
_ADVICE: Final = """Somebody has changed something by hand, or a deployment has ended in the middle. The table says what
`pulumi up` would do now. Either run the deployment again, which takes the change back, or put the change into the
program."""


def main(arguments: list[str] | None = None) -> int:
    """Open, renew or close the issue and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.ci.issue", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sections", required=True, type=Path, help="folder of a file for each environment")
    parser.add_argument("--environments", required=True, help="those to be looked at, with commas between")
    parser.add_argument("--run", required=True, help="address of the workflow's run")
    given = parser.parse_args(arguments)
    sections = sections_of(given.sections, given.environments.split(","))
    try:
        if sections:
            GitHub.of_workflow().keep_issue(MARKER, TITLE, f"{_ADVICE}\n\n{sections}\nSeen by {given.run}")
        else:
            word = f"As the program says: {given.environments.replace(',', ', ')}. Seen by {given.run}"
            GitHub.of_workflow().close_issue(MARKER, word)
    except GitHubError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
