"""The picture of what each day brings, with the days that stand out."""

from typing import Final

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import ACCENT, Chart, Drawing, Figure, LegendItem, Panel, Row, Tile, rows_of
from app.dashboards.report.shapes import day_bars, day_fields, days_axis, numbers, plot


def daily_revenue(answer: pa.Table) -> Figure:
    """Revenue a day with the mean of seven days; days that stand out are marked."""
    rows = rows_of(answer, "event_date", "revenue", "purchases", "mean_7d", "deviation", "is_anomaly")
    if len(rows) == 1:
        row = rows[0]
        tiles = (
            Tile(formats.amount(row["revenue"]), "Revenue"),
            Tile(formats.count(row["purchases"]), "Purchases"),
        )
        return Figure(tiles=tiles, caption=f"All events are of one day, {formats.day(row['event_date'])} (UTC).")
    cells = [
        day_fields(row["event_date"])
        | {
            "value": row["revenue"],
            "mean": row["mean_7d"],
            "fill": ACCENT if row["is_anomaly"] else "var(--c-purchase)",
            "label": formats.short_day(row["event_date"]) if row["is_anomaly"] else "",
            "revenue": formats.amount(row["revenue"]),
            "purchases": formats.count(row["purchases"]),
            "mean_text": formats.amount(row["mean_7d"]),
            "verdict": _verdict(row),
        }
        for row in rows
    ]
    tips = {
        "day": "Day",
        "revenue": "Revenue",
        "purchases": "Purchases",
        "mean_text": "Mean of 7 days before",
        "verdict": "Stands out",
    }

    def chart(narrow: bool) -> Chart:
        del narrow
        top = max(max(row["value"] or 0, row["mean"] or 0) for row in cells) * 1.12 or 1
        y = alt.Y("value:Q", axis=numbers("revenue per day"), scale=alt.Scale(domain=[0, top], nice=False))
        days = day_bars(cells, axis=numbers("revenue per day"), tips=tips, color_field="fill", height=240)
        days = days.encode(y=y)
        mean = (
            plot([row for row in cells if row["mean"] is not None])
            .mark_line(color="var(--ink)", strokeWidth=2, interpolate="monotone")
            .encode(x=days_axis(cells), y=alt.Y("mean:Q"))
        )
        marks = plot([row for row in cells if row["label"]]).encode(
            x=days_axis(cells), y=alt.Y("value:Q"), text="label:N"
        )
        # An outline keeps the label legible where the line of the mean crosses it.
        outline = marks.mark_text(
            baseline="bottom", dy=-5, fontWeight="bold", color="var(--card)", stroke="var(--card)", strokeWidth=4
        )
        label = marks.mark_text(baseline="bottom", dy=-5, fontWeight="bold", color="var(--ink)")
        return alt.layer(days, mean, outline, label).properties(width="container", height=240)

    unusual = [formats.short_day(row["event_date"]) for row in rows if row["is_anomaly"]]
    return Figure(
        panels=(
            Panel.draw(
                chart,
                "Revenue per day with the mean of seven days"
                + (f"; {formats.listing(unusual)} stand out" if unusual else "; no day stands out"),
                legend=(
                    LegendItem("revenue of the day", "var(--c-purchase)"),
                    LegendItem("a day that stands out", ACCENT),
                    LegendItem("mean of the 7 days before", "var(--ink)", "line"),
                ),
            ),
        ),
        caption="Revenue of all purchases per day (UTC), in the store's currency.",
    )


def _verdict(row: Row) -> str:
    if not row["is_anomaly"]:
        return "no"
    return "yes" if row["deviation"] is None else f"yes ({row['deviation']:+.1f})"


DRAWINGS: Final = {"daily_revenue": Drawing(daily_revenue)}
