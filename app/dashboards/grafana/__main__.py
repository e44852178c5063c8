"""Writes the files for Grafana.

python -m app.dashboards.grafana --out build/grafana
python -m app.dashboards.grafana --out build/grafana --loaded     after each load: open on the days that are loaded
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.batch.errors import BatchError
from app.dashboards.grafana import PUBLIC_DATA, Period, Stores, dashboard_files, provisioning
from app.dashboards.grafana.files import write_files

_EPILOG = """
examples:
  python -m app.dashboards.grafana --out build/grafana
  python -m app.dashboards.grafana --out /etc/grafana --from 2019-10-01 --to 2019-11-01
  MYSQL_HOST=mysql MYSQL_PASSWORD_FILE=/run/secrets/mysql python -m app.dashboards.grafana --out /etc/grafana --loaded

The files belong into /etc/grafana: provisioning/datasources, provisioning/dashboards, dashboards. Grafana reads the
password for each store's user from a file (--passwords). It needs the plugins redis-datasource and
hadesarchitect-cassandra-datasource.

--loaded writes the dashboards alone, for a Grafana that has the other files and may run: it takes them over by itself.
MySQL's variables are those of the batch job. With --every it does so again and again until it is stopped, for loads
from other machines; an error is then told, and costs one turn.

exit codes: 0 written; 1 the folder cannot be written; 2 wrong arguments or variables; 8 MySQL cannot be read
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
    parser.add_argument(
        "--loaded",
        action="store_true",
        help="write the dashboards alone, to open on the days that are in MySQL (MYSQL_HOST, ...)",
    )
    parser.add_argument("--every", type=_minutes, metavar="MINUTES", help="with --loaded: write again so often")
    given = parser.parse_args(arguments)
    if given.loaded and (given.first or given.last):
        parser.error("--loaded takes the days from MySQL; leave out --from and --to")
    if given.every and not given.loaded:
        parser.error("--every goes with --loaded")
    code = _write(given, parser)
    while given.every:
        time.sleep(given.every * 60)
        _write(given, parser)
    return code


def _write(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Write once; the exit code."""
    try:
        write_files(_files(given, os.environ), given.out)
    except ValueError as error:
        parser.error(str(error))
    except BatchError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{given.out} cannot be written: {error.strerror}; give another folder\n")
        return 1
    return 0


def _files(given: argparse.Namespace, environment: Mapping[str, str]) -> Mapping[str, str]:
    if given.loaded:
        return dashboard_files(_loaded(environment) or PUBLIC_DATA)
    period = Period(given.first or PUBLIC_DATA.first, given.last or PUBLIC_DATA.last)
    stores = Stores(given.mysql, given.redis, given.cassandra, given.user, passwords=given.passwords)
    return provisioning(stores, period)


def _loaded(environment: Mapping[str, str]) -> Period | None:
    # MySQL's client is not wanted by those who only write files.
    from app.batch.stores.mysql.settings import MysqlSettings
    from app.dashboards.grafana.loaded import loaded_period

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return loaded_period(MysqlSettings.from_environment(environment))


def _minutes(text: str) -> float:
    minutes = float(text)
    if not minutes > 0:
        raise ValueError
    return minutes


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
