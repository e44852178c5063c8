"""The days that are loaded, by MySQL, on which the dashboards are to open."""

import logging
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Final

import pymysql

from app.batch.stores.mysql.server import NO_TABLE, connect, explained, is_passing, number, quoted, run
from app.batch.stores.mysql.settings import MysqlSettings
from app.batch.stores.mysql.tables import ACTIVITY
from app.dashboards.grafana.layout import Period

_NO_DATABASE: Final = 1049
_WAIT_SECONDS: Final = 2

_log = logging.getLogger(__name__)


def loaded_period(settings: MysqlSettings) -> Period | None:
    """From the begin of the first day with an event to the end of the last, in UTC; None where no event is loaded.

    Raises:
        BatchError: MySQL refuses, or does not answer for as long as is set.
    """
    deadline = time.monotonic() + settings.retry_seconds
    while True:
        try:
            first, last = _times(settings)
            break
        except pymysql.Error as error:
            if number(error) in (_NO_DATABASE, NO_TABLE):
                return None
            if not is_passing(error) or time.monotonic() + _WAIT_SECONDS > deadline:
                raise explained(error, settings) from error
            _log.warning("MySQL at %s does not answer (%s); trying again", settings.address, error.args[-1])
        time.sleep(_WAIT_SECONDS)
    return Period(_day(first), _day(last) + timedelta(days=1)) if first and last else None


def _times(settings: MysqlSettings) -> tuple[datetime | None, datetime | None]:
    """The hours of the first and the last event."""
    with closing(connect(settings)) as connection:
        ((first, last),) = run(
            connection, f"SELECT MIN(time), MAX(time) FROM {quoted(settings.database, ACTIVITY.name)}"
        )
        return first, last


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
