"""Write the report of a run again from the answers that it left.

python -m app.dashboards.report build/demo
"""

import argparse
import sys
from pathlib import Path

from app.dashboards.report import FILE_NAME, ReportError, ResultsError, read_results, write_report


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when the report is written, 2 when the directory does not hold the results of a run."""
    parser = argparse.ArgumentParser(
        prog="python -m app.dashboards.report",
        description="Write one HTML report, which works offline, from the results of a run.",
        epilog="example: python -m app.dashboards.report build/demo",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="what the demo left: answers/, ledger.json, ...")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"the report's path (default: DIR/{FILE_NAME})")
    options = parser.parse_args(arguments)
    out: Path = options.out or options.directory / FILE_NAME
    try:
        write_report(read_results(options.directory), out)
    except (ResultsError, ReportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return 2
    print(out)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
