"""The period and the key figures, as a person would say them first."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import Row, Tile, rows_of


@dataclass(frozen=True)
class Headline:
    """`title` names the period; `tiles` are the key figures that the answers allow."""

    title: str
    tiles: tuple[Tile, ...]


def headline(answers: Mapping[str, pa.Table]) -> Headline:
    """Return the headline of the answers; a figure whose answer is missing is left out."""
    days = sorted({row["event_date"] for row in _rows(answers, "daily_activity", "event_date")})
    return Headline(title=_title(days), tiles=tuple(_tiles(answers, days)))


def _title(days: list[dt.date]) -> str:
    if not days:
        return "What visitors do in the shop"
    if len(days) <= (days[-1] - days[0]).days:
        # The days have gaps: the period alone would promise too much.
        return f"What visitors did in the shop on {len(days)} days from {formats.period(days[0], days[-1])}"
    if len(days) == 1:
        return f"What visitors did in the shop on {formats.period(days[0], days[0])}"
    return f"What visitors did in the shop, {formats.period(days[0], days[-1])}"


def _tiles(answers: Mapping[str, pa.Table], days: list[dt.date]) -> list[Tile]:
    tiles = []
    events = {row["event_type"]: row["events"] for row in _rows(answers, "event_types", "event_type", "events")}
    if events:
        note = f"in {formats.plural(len(days), 'day')}" if days else ""
        tiles.append(Tile(formats.compact(sum(events.values())), "events", note))
    cohorts = _rows(answers, "weekly_retention", "weeks_later", "cohort_users")
    if cohorts:
        # Every visitor is in the one cohort of the week in which he was first seen.
        visitors = sum(row["cohort_users"] for row in cohorts if row["weeks_later"] == 0)
        tiles.append(Tile(formats.compact(visitors), "visitors"))
    revenue = sum(row["revenue"] or 0 for row in _rows(answers, "daily_revenue", "revenue"))
    funnel = _rows(answers, "session_funnel", "sessions", "sessions_with_purchase", "purchase_rate")
    if funnel:
        tiles.append(Tile(formats.compact(funnel[0]["sessions"]), "sessions"))
    if events:
        purchases = events.get("purchase", 0)
        tiles.append(Tile(formats.amount(revenue), "revenue", f"from {formats.plural(purchases, 'purchase')}"))
    if funnel:
        tiles.append(Tile(formats.percent(funnel[0]["purchase_rate"]), "conversion", "of sessions end in a purchase"))
        buying = funnel[0]["sessions_with_purchase"]
        order = formats.amount(revenue / buying) if buying else formats.NOTHING
        tiles.append(Tile(order, "average order", "revenue per buying session"))
    return tiles


def _rows(answers: Mapping[str, pa.Table], question: str, *columns: str) -> list[Row]:
    return rows_of(answers[question], *columns) if question in answers else []
