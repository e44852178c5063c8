"""Estimates what an environment costs a month: `python -m infra.cost --stack prod`.

    python -m infra.cost --stack prod                        every line
    python -m infra.cost --stack prod --json > before.json   for other programs
    python -m infra.cost --stack prod --against before.json  what became dearer or cheaper

Reads `Pulumi.<stack>.yaml` and needs neither Pulumi's program nor Google Cloud. Ends with 2 where the settings are not
valid or a file cannot be read.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from infra.cost.estimate import Estimate, estimate
from infra.cost.shown import as_text, changes_as_text
from infra.settings import SettingsError, load
from infra.settings.stack_file import stack_config

_ROOT: Final = Path(__file__).resolve().parents[2]
_ANYWHERE: Final = {"gcp:project": "any-project", "gcp:region": "us-central1"}
"""Prices are those of one region and of any project, so that an estimate needs neither."""


def main(arguments: list[str] | None = None) -> int:
    """Print an estimate, or how it differs from an earlier one; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.cost", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", required=True, help="the environment: dev, staging, prod, or one of yours")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="an earlier estimate, made with --json")
    parser.add_argument("--folder", type=Path, default=_ROOT, help="where Pulumi.<stack>.yaml is; else the repository")
    given = parser.parse_args(arguments)
    try:
        config = _ANYWHERE | stack_config(given.folder, given.stack)
        after = estimate(load(config, given.stack))
        before = _earlier(given.against) if given.against else None
    except (SettingsError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if given.json:
        sys.stdout.write(json.dumps(after.as_json(), indent=2) + "\n")
    else:
        sys.stdout.write((changes_as_text(before, after) if before else as_text(after)) + "\n")
    return 0


def _earlier(path: Path) -> Estimate:
    try:
        return Estimate.from_json(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no estimate of `python -m infra.cost --json`: {error!r}") from error


if __name__ == "__main__":
    sys.exit(main())
