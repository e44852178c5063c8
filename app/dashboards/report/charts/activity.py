"""Pictures of when visitors come and what they do: days, hours, kinds of event."""

from typing import Final, Literal

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import (
    EVENT_COLORS,
    MAIN,
    MUTED,
    RAMP,
    Chart,
    Drawing,
    Figure,
    LegendItem,
    Panel,
    Row,
    Tile,
    rows_of,
)
from app.dashboards.report.shapes import bars, day_bars, day_fields, heat, numbers, plot, shade, tooltip

EVENT_NAMES: Final = {
    "view": "Views",
    "cart": "Carts",
    "remove_from_cart": "Removals",
    "purchase": "Purchases",
}
"""The kinds of event in the order of the funnel, as headings."""

_WIDTH_FOR_24_LABELS: Final = 800
_HOURS: Final = [f"{hour:02d}" for hour in range(24)]


def daily_activity(answer: pa.Table) -> Figure:
    """One small chart for each kind of event, each on its own scale: views would hide all else."""
    rows = rows_of(answer, "event_date", "event_type", "events", "users", "sessions", "revenue")
    kinds = [kind for kind in EVENT_NAMES if any(row["event_type"] == kind for row in rows)]
    if len({row["event_date"] for row in rows}) == 1:
        tiles = tuple(
            Tile(
                formats.compact(row["events"]),
                EVENT_NAMES[row["event_type"]],
                f"by {formats.plural(row['users'], 'visitor')}",
            )
            for kind in kinds
            for row in rows
            if row["event_type"] == kind
        )
        return Figure(tiles=tiles, caption=f"All events are of one day, {formats.day(rows[0]['event_date'])} (UTC).")
    panels = tuple(_days_of(kind, [row for row in rows if row["event_type"] == kind]) for kind in kinds)
    return Figure(
        panels=panels,
        caption="Events per day (UTC). Each chart has its own scale: there are far more views than purchases.",
    )


def _days_of(kind: str, rows: list[Row]) -> Panel:
    cells = [
        day_fields(row["event_date"])
        | {
            "value": row["events"],
            "events": formats.count(row["events"]),
            "users": formats.count(row["users"]),
            "sessions": formats.count(row["sessions"]),
        }
        for row in rows
    ]
    total = sum(row["events"] for row in rows)

    def chart(narrow: bool) -> Chart:
        del narrow
        return day_bars(
            cells,
            axis=numbers("events", whole=True),
            tips={"day": "Day", "events": "Events", "users": "Visitors", "sessions": "Sessions"},
            color=EVENT_COLORS[kind],
            height=110,
        )

    return Panel.draw(
        chart,
        f"{EVENT_NAMES[kind]} per day, {formats.count(total)} in all",
        title=f"{EVENT_NAMES[kind]}: {formats.compact(total)}",
    )


def hourly_activity(answer: pa.Table) -> Figure:
    """How busy each hour is, and what the products looked at in it cost."""
    rows = rows_of(answer, "hour", "event_type", "events", "price_sum", "price_mean")
    return Figure(
        panels=(_hours(rows), _hours_by_kind(rows)),
        caption="All days together, hours in UTC. In the heat map the number is the sum of the prices of the products "
        "concerned, and the colour their mean price.",
    )


def _hours(rows: list[Row]) -> Panel:
    events = {hour: sum(row["events"] for row in rows if row["hour"] == hour) for hour in range(24)}
    total = sum(events.values()) or 1
    cells = [
        {
            "hour": f"{hour:02d}",
            "value": number,
            "span": f"{formats.hour(hour)} to {formats.hour(hour + 1)} UTC",
            "events": formats.count(number),
            "share": formats.percent(number / total),
        }
        for hour, number in events.items()
    ]

    def chart(narrow: bool) -> Chart:
        hours: alt.Chart = (
            plot(cells)
            .mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2, color=MAIN)
            .encode(
                x=alt.X("hour:O", axis=_hours_axis(orient="bottom", few=narrow)),
                y=alt.Y("value:Q", axis=numbers("events", whole=True)),
                tooltip=tooltip({"span": "Hour", "events": "Events", "share": "Share of all"}),
            )
        )
        return hours.properties(width="container", height=130)

    busiest = max(events, key=lambda hour: events[hour])
    return Panel.draw(
        chart, f"Events by hour of the day; most from {formats.hour(busiest)} UTC", title="Events by hour"
    )


def _hours_by_kind(rows: list[Row]) -> Panel:
    kinds = [name for kind, name in EVENT_NAMES.items() if any(row["event_type"] == kind for row in rows)]
    cells: list[Row] = [
        {
            "hour": f"{row['hour']:02d}",
            "kind": EVENT_NAMES[row["event_type"]],
            "shade": step,
            "text": formats.compact(row["price_sum"]).replace(formats.SPACE, ""),
            "span": f"{formats.hour(row['hour'])} to {formats.hour(row['hour'] + 1)} UTC",
            "events": formats.count(row["events"]),
            "sum": formats.amount(row["price_sum"]),
            "mean": formats.amount(row["price_mean"]),
        }
        for row, step in zip(rows, shade([row["price_mean"] for row in rows]), strict=True)
    ]
    seen = {(cell["hour"], cell["kind"]) for cell in cells}
    nothing = dict.fromkeys(("sum", "mean"), formats.NOTHING) | {"shade": None, "text": "", "events": "0"}
    cells += [
        nothing | {"hour": hour, "kind": kind, "span": f"{hour}:00 UTC"}
        for hour in _HOURS
        for kind in kinds
        if (hour, kind) not in seen
    ]
    tips = {"span": "Hour", "kind": "What", "events": "Events", "sum": "Sum of prices", "mean": "Mean price"}

    def chart(narrow: bool) -> Chart:
        kind_names = alt.Axis(title=None, labelAngle=0, domain=False, ticks=False, labelLimit=120)
        domain = alt.Scale(domain=kinds)
        if narrow:
            # Hours run down the page where it is too narrow for 24 columns.
            kind_names = alt.Axis(title=None, labelAngle=0, domain=False, ticks=False, orient="top")
            return heat(
                cells,
                x=alt.X("kind:N", axis=kind_names, scale=domain),
                y=alt.Y("hour:O", axis=_hours_axis(orient="left"), scale=alt.Scale(domain=_HOURS)),
                tips=tips,
                height=24 * 22,
            )
        return heat(
            cells,
            x=alt.X("hour:O", axis=_hours_axis(orient="bottom"), scale=alt.Scale(domain=_HOURS)),
            y=alt.Y("kind:N", axis=kind_names, scale=domain),
            tips=tips,
            height=len(kinds) * 40,
            font_size=10,
        )

    means = [row["price_mean"] for row in rows if row["price_mean"] is not None]
    ramp = f"mean price {formats.amount(min(means))} to {formats.amount(max(means))}" if means else "mean price"
    return Panel.draw(
        chart,
        "Heat map of hours and kinds of event: sum of prices as label, mean price as colour",
        title="Value of the products viewed, put into a cart and bought, by hour",
        legend=(LegendItem(ramp, RAMP[0], "ramp"),),
        narrow_below=_WIDTH_FOR_24_LABELS,
    )


def _hours_axis(orient: Literal["bottom", "left"], *, few: bool = False) -> alt.Axis:
    title = "hour of the day (UTC)"
    axis = alt.Axis(title=title, labelAngle=0, grid=False, ticks=False, domain=False, orient=orient)
    if few:
        axis["values"] = _HOURS[::3]
    return axis


def event_types(answer: pa.Table) -> Figure:
    """How many events of each kind."""
    rows = rows_of(answer, "event_type", "events", "share")
    cells = [
        {
            "name": EVENT_NAMES.get(row["event_type"], formats.words(row["event_type"])),
            "value": row["events"],
            "text": f"{formats.percent(row['share'])} ({formats.compact(row['events'])})",
            "events": formats.count(row["events"]),
            "share": formats.percent(row["share"]),
            "color": EVENT_COLORS.get(row["event_type"], MUTED),
        }
        for row in rows
    ]

    def chart(narrow: bool) -> Chart:
        return bars(
            cells,
            axis=numbers("events", whole=True),
            tips={"name": "What", "events": "Events", "share": "Share of all"},
            narrow=narrow,
            color_field="color",
        )

    return Figure(
        panels=(Panel.draw(chart, "Events by kind, with their share"),),
        caption="Share of all events, and their number. Carts: products put into a cart; removals: taken out again.",
    )


DRAWINGS: Final = {
    "daily_activity": Drawing(daily_activity),
    "hourly_activity": Drawing(hourly_activity),
    "event_types": Drawing(event_types),
}
