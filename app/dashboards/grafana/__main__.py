"""Writes the files for Grafana.

python -m app.dashboards.grafana --out build/grafana
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.dashboards.grafana import PUBLIC_DATA, Period, Stores, provisioning

_EPILOG = """
examples:
  python -m app.dashboards.grafana --out build/grafana
  python -m app.dashboards.grafana --out /etc/grafana --from 2019-10-01 --to 2019-11-01

The files belong into /etc/grafana: provisioning/datasources, provisioning/dashboards, dashboards. Grafana reads the
password for each store's user from a file (--passwords). It needs the plugins redis-datasource and
hadesarchitect-cassandra-datasource.

exit codes: 0 written; 1 the folder cannot be written; 2 wrong arguments
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m app.dashboards.grafana",
        description="Write the data sources and dashboards that Grafana reads at its start.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    at = Stores()
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write to")
    parser.add_argument("--from", dest="first", type=_day, metavar="DAY", help="first day shown (2019-10-01)")
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="the day after the last (2019-12-01)")
    parser.add_argument("--mysql", default=at.mysql, metavar="HOST:PORT", help=f"address of MySQL ({at.mysql})")
    parser.add_argument("--redis", default=at.redis, metavar="HOST:PORT", help=f"address of Redis ({at.redis})")
    parser.add_argument(
        "--cassandra", default=at.cassandra, metavar="HOST:PORT", help=f"address of Cassandra ({at.cassandra})"
    )
    parser.add_argument("--user", default=at.user, metavar="NAME", help=f"the stores' user that reads ({at.user})")
    parser.add_argument(
        "--passwords", default=at.passwords, metavar="DIR", help=f"where Grafana finds the passwords ({at.passwords})"
    )
    given = parser.parse_args(arguments)
    try:
        period = Period(given.first or PUBLIC_DATA.first, given.last or PUBLIC_DATA.last)
    except ValueError as error:
        parser.error(str(error))
    stores = Stores(given.mysql, given.redis, given.cassandra, given.user, passwords=given.passwords)
    try:
        for name, text in provisioning(stores, period).items():
            path = given.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"{given.out} cannot be written: {error.strerror}; give another folder\n")
        return 1
    return 0


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
