"""Previews an environment and writes what would change, what it costs and which rules break, as Markdown:

    python -m infra.ci.preview --stack prod --base ../base --section sections/prod.md
    python -m infra.ci.preview --stack prod --drift --section sections/prod.md

`--base` is a checkout of what the branch is merged into; its own estimate is the cost before. With `--drift` the cloud
is asked for what has changed outside of the program, and the file is empty where nothing has. Ends with 0 where all is
well, 1 where the preview failed or a rule is broken, 3 where `--drift` found a difference. Needs Pulumi's program on
the PATH and its environment (PULUMI_BACKEND_URL, credentials of Google Cloud).
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from infra.ci.events import EventsError, Preview, read_events
from infra.ci.section import drift_section, preview_section
from infra.cost.estimate import Estimate

ROOT: Final = Path(__file__).resolve().parents[2]
UNREADABLE: Final = ("**:Secret*Version::**", "**::docker:index/**", "**$docker:index/**")
"""What only those can look at who may read passwords, or log in to the batch host; left out of the check for drift."""
_DRIFTED: Final = 3


def main(arguments: list[str] | None = None) -> int:
    """Preview, write the section, and give the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.ci.preview", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="the environment")
    parser.add_argument("--section", required=True, type=Path, help="the file to write")
    parser.add_argument("--base", type=Path, help="a checkout of what the branch is merged into")
    parser.add_argument("--drift", action="store_true", help="look for what has changed outside of the program")
    given = parser.parse_args(arguments)
    preview, code = run_preview(given.stack, is_drift=given.drift)
    if given.drift:
        section = drift_section(given.stack, preview)
    else:
        before = _estimate(given.base, given.stack) if given.base else None
        section = preview_section(given.stack, preview, before, _estimate(ROOT, given.stack))
    given.section.parent.mkdir(parents=True, exist_ok=True)
    given.section.write_text(section)
    sys.stdout.write(section or f"{given.stack} is as the program says.\n")
    if code or preview.violations:
        return 1
    return _DRIFTED if given.drift and preview.steps else 0


def run_preview(stack: str, *, is_drift: bool) -> tuple[Preview, int]:
    """What Pulumi says of a stack, and the exit code of its program. What it writes to standard error is shown."""
    command = ["pulumi", "preview", "--stack", stack, "--json", "--non-interactive"]
    if is_drift:
        # The program is run as well: an identity that only looks could not keep what the refresh finds.
        command += ["--refresh", *(part for urn in UNREADABLE for part in ("--exclude", urn))]
    else:
        command += ["--policy-pack", "infra/policy"]
    environment = {**os.environ, "PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    try:
        preview = read_events(done.stdout.splitlines())
    except EventsError as error:
        preview = Preview((), (), 0, (str(error),))
    if done.returncode and not preview.errors and not preview.violations:
        preview = Preview(
            preview.steps, (), preview.rules, (f"pulumi ended with {done.returncode}; its log says why.",)
        )
    return preview, done.returncode


def _estimate(folder: Path, stack: str) -> Estimate | None:
    """The estimate of a checkout by its own prices and code; None where it has none."""
    command = [sys.executable, "-m", "infra.cost", "--stack", stack, "--json"]
    # A path of the caller's would lend this checkout's code to a base that has none, and compare it with itself.
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    return Estimate.from_json(json.loads(done.stdout)) if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
