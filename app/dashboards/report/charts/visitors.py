"""Pictures of who visits: sessions, cohorts that come back, sessions that no person would make."""

from typing import Final

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import (
    ACCENT,
    RAMP,
    SECOND,
    Chart,
    Drawing,
    Figure,
    LegendItem,
    Panel,
    Row,
    Tile,
    rows_of,
)
from app.dashboards.report.shapes import bars, day_fields, day_line, heat, numbers, percents, shade

_BOTS: Final = 15
_MINUTE: Final = 60


def session_facts(answer: pa.Table) -> Figure:
    """How long visits are, how many end after one event, and what they bring."""
    rows = rows_of(
        answer,
        "event_date",
        "sessions",
        "events_per_session",
        "mean_seconds",
        "bounce_sessions",
        "bounce_rate",
        "revenue_per_session",
    )
    sessions = sum(row["sessions"] for row in rows)

    def mean(column: str) -> float | None:
        known = [(row[column], row["sessions"]) for row in rows if row[column] is not None]
        weight = sum(number for _, number in known)
        return sum(value * number for value, number in known) / weight if weight else None

    tiles = (
        Tile(formats.compact(sessions), "sessions"),
        Tile(formats.decimal(mean("events_per_session")), "events per session"),
        Tile(formats.duration(mean("mean_seconds")), "mean length"),
        Tile(formats.percent(mean("bounce_rate")), "end after one event"),
        Tile(formats.amount(mean("revenue_per_session")), "revenue per session"),
    )
    return Figure(
        tiles=tiles,
        panels=_sessions_by_day(rows) if len(rows) > 1 else (),
        columns=2,
        caption="A session is what one visitor does without a pause of 30 minutes, counted on the day (UTC) it starts. "
        "Its length is the time from its first to its last event, so a session of one event has length 0.",
    )


def _sessions_by_day(rows: list[Row]) -> tuple[Panel, ...]:
    cells = [
        day_fields(row["event_date"])
        | row
        | {
            "event_date": None,
            "minutes": None if row["mean_seconds"] is None else row["mean_seconds"] / _MINUTE,
            "count_text": formats.count(row["sessions"]),
            "events_text": formats.decimal(row["events_per_session"]),
            "length_text": formats.duration(row["mean_seconds"]),
            "bounce_text": formats.percent(row["bounce_rate"]),
            "revenue_text": formats.amount(row["revenue_per_session"]),
        }
        for row in rows
    ]
    tips = {
        "day": "Day",
        "count_text": "Sessions",
        "events_text": "Events per session",
        "length_text": "Mean length",
        "bounce_text": "End after one event",
        "revenue_text": "Revenue per session",
    }

    def panel(column: str, title: str, axis: alt.Axis, color: str) -> Panel:
        points = [cell | {"value": cell[column]} for cell in cells]
        return Panel.draw(
            lambda _: day_line(points, axis=axis, tips=tips, color=color, height=120),
            f"{title} per day",
            title=title,
        )

    return (
        panel("sessions", "Sessions", numbers("sessions"), "var(--c-view)"),
        panel("minutes", "Mean length", numbers("minutes"), SECOND),
        panel("bounce_rate", "Sessions that end after one event", percents("share of sessions"), ACCENT),
        panel("revenue_per_session", "Revenue per session", numbers("revenue"), "var(--c-purchase)"),
    )


def weekly_retention(answer: pa.Table) -> Figure:
    """The share of a week's new visitors who come back in the weeks after."""
    rows = rows_of(answer, "cohort_week", "weeks_later", "cohort_users", "active_users", "retention")
    later = [row["retention"] if row["weeks_later"] else None for row in rows]
    if not any(row["weeks_later"] for row in rows):
        tiles = tuple(
            Tile(
                formats.count(row["cohort_users"]), "new visitors", f"in the week of {formats.day(row['cohort_week'])}"
            )
            for row in rows
        )
        return Figure(
            tiles=tiles, caption="Nobody has come back in a later week yet: there is no later week in the data."
        )
    cells = [
        {
            "cohort": f"{formats.short_day(row['cohort_week'])} ({formats.compact(row['cohort_users'])})",
            "later": str(row["weeks_later"]),
            "shade": step,
            "text": formats.percent(row["retention"]),
            "week": f"week of {formats.day(row['cohort_week'])}",
            "users": f"{formats.count(row['active_users'])} of {formats.count(row['cohort_users'])}",
        }
        for row, step in zip(rows, shade(later), strict=True)
    ]
    tips = {"week": "First seen", "later": "Weeks later", "users": "Visitors who came", "text": "Share"}
    weeks = [str(week) for week in range(max(row["weeks_later"] for row in rows) + 1)]
    cohorts = list(dict.fromkeys(cell["cohort"] for cell in cells))

    def chart(narrow: bool) -> Chart:
        return heat(
            cells,
            x=alt.X(
                "later:O",
                scale=alt.Scale(domain=weeks),
                axis=alt.Axis(
                    title="weeks after the first visit",
                    orient="top",
                    labelAngle=0,
                    ticks=False,
                    domain=False,
                    grid=False,
                ),
            ),
            y=alt.Y(
                "cohort:N",
                scale=alt.Scale(domain=cohorts),
                axis=alt.Axis(title=None, ticks=False, domain=False, grid=False),
            ),
            tips=tips,
            height=40 + len(cohorts) * 38,
            font_size=10 if narrow else 12,
        )

    return Figure(
        panels=(
            Panel.draw(
                chart,
                "Cohorts by week of the first visit, with the share that comes back in each later week",
                title="First seen in the week of ... (visitors)",
                legend=(LegendItem("few to many come back", RAMP[0], "ramp"),),
            ),
        ),
        caption="Each line is the visitors first seen in one week (Monday to Sunday, UTC). Week 0 is the week itself, "
        "so everybody is there. The last week of the data may be incomplete.",
    )


def bot_sessions(answer: pa.Table) -> Figure:
    """The sessions that no person would make."""
    rows = rows_of(answer, "session_key", "user_id", "events", "seconds", "events_per_minute", "products", "reason")
    cells = [
        {
            "name": f"visitor {row['user_id']}" + (f" ({index + 1})" if _repeated(rows, row) else ""),
            "value": row["events"],
            "text": f"{formats.count(row['events'])} in {formats.duration(row['seconds'])}",
            "short": formats.count(row["events"]),
            "events": formats.count(row["events"]),
            "length": formats.duration(row["seconds"]),
            "speed": formats.decimal(row["events_per_minute"]),
            "products": formats.count(row["products"]),
            "reason": formats.words(row["reason"]),
        }
        for index, row in enumerate(sorted(rows, key=lambda row: (-row["events"], row["session_key"]))[:_BOTS])
    ]
    tips = {
        "name": "Who",
        "events": "Events",
        "length": "In",
        "speed": "Events a minute",
        "products": "Different products",
        "reason": "Why",
    }
    events = sum(row["events"] for row in rows)
    return Figure(
        tiles=(
            Tile(formats.count(len(rows)), "sessions look automated"),
            Tile(formats.compact(events), "events are theirs"),
        ),
        panels=(
            Panel.draw(
                lambda narrow: bars(
                    cells, axis=numbers("events in the session", whole=True), tips=tips, narrow=narrow, color=ACCENT
                ),
                "Sessions that look automated, by number of events",
            ),
        ),
        caption=f"The {len(cells)} longest of them. They are counted in all other figures: leave them out before "
        "you judge a campaign by its views.",
    )


def _repeated(rows: list[Row], row: Row) -> bool:
    return sum(1 for other in rows if other["user_id"] == row["user_id"]) > 1


DRAWINGS: Final = {
    "session_facts": Drawing(session_facts),
    "weekly_retention": Drawing(weekly_retention),
    "bot_sessions": Drawing(bot_sessions, empty="No session looks automated in this period."),
}
