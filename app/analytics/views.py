"""The warehouse's views: what is true, said of logs that are only appended to and may repeat what they say.

    event_log ───────┬─ events
                     ├─ ledger
    bad_event_log ───┴─ bad_events
    activity_log ────── activity_by_minute
    session_log ─────── sessions

A filter on `event_time` passes through `events` to the partitions of `event_log`, because equal events have equal times
and the view compares events of equal time only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import ibis
import ibis.expr.types as ir

from app.analytics.facts import number_sessions
from app.analytics.measures import MONEY, exactly, total
from app.analytics.registry import QUESTIONS
from app.analytics.sql import Dialect, table, to_sql
from app.events.schema import EVENTS
from app.events.warehouse import BAD_EVENT_LOG, TABLES


@dataclass(frozen=True)
class View:
    """A view: `build` makes it from the logs, tables of the warehouse by name."""

    name: str
    description: str
    build: Callable[[dict[str, ir.Table]], ir.Table]


@cache
def compile_view(name: str, dataset: str, dialect: Dialect = "bigquery", *, since: datetime | None = None) -> str:
    """Give the query of a view; `dataset` (`dataset` or `project.dataset`) holds the logs.

    `since` (with a time zone) leaves out what is in earlier partitions of the logs; where tables require a filter of
    their partitions, it is one.
    """
    return to_sql(VIEWS[name].build(_logs(dataset, since)), dialect)


@cache
def compile_answer(question: str, dataset: str, dialect: Dialect = "bigquery", *, since: datetime | None = None) -> str:
    """Give the query that answers a question from the logs, through no other view; else as `compile_view`."""
    return to_sql(QUESTIONS[question].answer(events(_logs(dataset, since))), dialect)


def events(logs: dict[str, ir.Table]) -> ir.Table:
    """Each event once, as it came first: columns of EVENTS. `event_id` is unique."""
    return _kept(logs["event_log"]).select(EVENTS.names)


def bad_events(logs: dict[str, ir.Table]) -> ir.Table:
    """Each row that is no event once, as it was stored first: columns of BAD_EVENT_LOG."""
    log = logs["bad_event_log"]
    once = _first(log, ["source", "source_row"], ["ingest_time", "reason"])
    return once.select(BAD_EVENT_LOG.names)


def ledger(logs: dict[str, ir.Table]) -> ir.Table:
    """What became of the rows of each source, and (source NULL) of all.

    source, read [rows] = stored + duplicates + bad, stored [rows]: events kept, duplicates [rows]: events that
    another row, of this source or another, had brought before, bad [rows].
    """
    log, bad_log = logs["event_log"], logs["bad_event_log"]
    rows = log.select("source", "source_row").distinct()
    kept = _kept(log)
    bad = bad_log.select("source", "source_row").distinct()
    none = ibis.literal(0, "int64")
    parts = ibis.union(
        rows.group_by("source").agg(event_rows=rows.count(), stored=none, bad=none),
        kept.group_by("source").agg(event_rows=none, stored=kept.count(), bad=none),
        bad.group_by("source").agg(event_rows=none, stored=none, bad=bad.count()),
    )
    sources = _balance(parts, parts.group_by("source"))
    everything = _balance(parts, parts)
    return ibis.union(
        sources.mutate(source=exactly(sources.source, "string")),
        everything.mutate(source=ibis.null("string")).select(sources.columns),
    )


def activity_by_minute(logs: dict[str, ir.Table]) -> ir.Table:
    """Events and revenue by minute and event type: minute, event_type, events [events], revenue [money]."""
    log = _valid(logs["activity_log"], lambda row: row.minute.truncate("h"))
    newest = _first(log, ["minute", "event_type", "shard", "epoch"], [log.updated_at.desc(), log.events.desc()])
    sums = newest.group_by("minute", "event_type").agg(events=total(newest.events), revenue=newest.revenue.sum())
    return sums.mutate(revenue=sums.revenue.cast(MONEY))


def sessions(logs: dict[str, ir.Table]) -> ir.Table:
    """One row a session, put together from its parts.

    session_key, session_start, session_end, user_id, events, views, carts, purchases, removals, revenue: as in the
    fact `sessions`.
    """
    log = _valid(logs["session_log"], lambda row: row.hour)
    latest = log.updated_at.max().over(ibis.window(group_by=["session_key", "hour", "shard", "epoch"]))
    newest = log.mutate(latest=latest)
    # Delivered twice, a part is there twice; all of its columns are equal.
    parts = newest.filter(newest.updated_at == newest.latest).select(log.columns).distinct()
    parts = parts.rename(part_start="session_start")
    numbered = number_sessions(parts, "part_start", "session_end")
    counts = ("events", "views", "carts", "purchases", "removals")
    whole = numbered.group_by("session_key", "session_start").agg(
        session_end=numbered.session_end.max(),
        user_id=numbered.user_id.min(),
        **{name: total(numbered[name]) for name in counts},
        revenue=numbered.revenue.sum(),
    )
    return whole.mutate(revenue=whole.revenue.cast(MONEY))


VIEWS: Final[dict[str, View]] = {
    view.name: view
    for view in (
        View("events", "each event once", events),
        View("bad_events", "each row that is no event once, with its reason", bad_events),
        View("ledger", "rows read, stored, repeated and bad, by source and (source NULL) in total", ledger),
        View("activity_by_minute", "events and revenue by minute and event type", activity_by_minute),
        View("sessions", "every session with its counts and revenue", sessions),
    )
}
"""View by name."""


def _logs(dataset: str, since: datetime | None) -> dict[str, ir.Table]:
    logs = {name: table(ibis.Schema.from_pyarrow(of.schema), f"{dataset}.{name}") for name, of in TABLES.items()}
    if since is None:
        return logs
    begin = ibis.literal(since, "timestamp('UTC', 6)")
    return {name: log.filter(log[TABLES[name].partition_by] >= begin) for name, log in logs.items()}


def _kept(log: ir.Table) -> ir.Table:
    """Keep, of the rows that brought an event, the first by source and row number."""
    return _first(log, ["event_time", "event_id"], ["source", "source_row", "ingest_time"])


def _valid(log: ir.Table, hour: Callable[[ir.Table], ir.Value]) -> ir.Table:
    """Leave out the epochs of an hour that came before one which counted all of the hour's events anew."""
    rebuilt = ibis.cases((log.is_rebuilt, log.epoch), else_=0).max()
    numbered = log.mutate(valid_from=rebuilt.over(ibis.window(group_by=hour(log))))
    return numbered.filter(numbered.epoch >= numbered.valid_from).select(log.columns)


def _first(log: ir.Table, key: list[str], order: list[Any]) -> ir.Table:
    """Keep one row of each key: the first in an order."""
    numbered = log.mutate(place=ibis.row_number().over(ibis.window(group_by=key, order_by=order)))
    return numbered.filter(numbered.place == 0).select(log.columns)


def _balance(parts: ir.Table, rows: Any) -> ir.Table:
    """Sum the parts of a ledger over rows or groups of them."""
    sums = rows.agg(event_rows=total(parts.event_rows), stored=total(parts.stored), bad=total(parts.bad))
    source = ["source"] if "source" in sums.columns else []
    return sums.select(
        *source,
        read=sums.event_rows + sums.bad,
        stored=sums.stored,
        duplicates=sums.event_rows - sums.stored,
        bad=sums.bad,
    )
