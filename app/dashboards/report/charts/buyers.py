"""Pictures of who buys: buyers by recency and frequency, segments, products bought together."""

from typing import Final

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import (
    RAMP,
    SECOND,
    Chart,
    Drawing,
    Figure,
    LegendItem,
    Panel,
    Row,
    legend_of,
    rows_of,
)
from app.dashboards.report.shapes import bars, heat, names_axis, numbers, percents, plot, shade, tooltip

_PAIRS: Final = 15
_BUYERS: Final = SECOND
_REVENUE: Final = "var(--c-purchase)"


def rfm_segments(answer: pa.Table) -> Figure:
    """Buyers by how recently and how often they buy, and what each segment brings."""
    rows = rows_of(answer, "recency_score", "frequency_score", "monetary_score", "segment", "users", "revenue")
    return Figure(
        panels=(_rfm_grid(rows), _segments(rows)),
        columns=2,
        caption="Buyers get scores from 1 (low) to 5 (high) for how recently and how often they bought. "
        "The grid names the segment that most buyers of a cell belong to.",
    )


def by_segment(rows: list[Row]) -> tuple[dict[str, int], dict[str, float]]:
    """Return buyers and revenue by segment, from rows of rfm_segments."""
    users: dict[str, int] = {}
    revenue: dict[str, float] = {}
    for row in rows:
        users[row["segment"]] = users.get(row["segment"], 0) + row["users"]
        revenue[row["segment"]] = revenue.get(row["segment"], 0.0) + (row["revenue"] or 0)
    return users, revenue


def _rfm_grid(rows: list[Row]) -> Panel:
    users: dict[tuple[int, int], dict[str, int]] = {}
    revenue: dict[tuple[int, int], float] = {}
    for row in rows:
        cell = (row["recency_score"], row["frequency_score"])
        segments = users.setdefault(cell, {})
        segments[row["segment"]] = segments.get(row["segment"], 0) + row["users"]
        revenue[cell] = revenue.get(cell, 0.0) + (row["revenue"] or 0)
    totals = {cell: sum(segments.values()) for cell, segments in users.items()}
    cells: list[Row] = [
        {
            "recency": str(recency),
            "frequency": str(frequency),
            "shade": step,
            "short": formats.compact(totals[recency, frequency]).replace(formats.SPACE, ""),
            "segment": formats.words(max(segments, key=lambda name: (segments[name], name))),
            "users": formats.count(totals[recency, frequency]),
            "revenue": formats.amount(revenue[recency, frequency]),
        }
        for ((recency, frequency), segments), step in zip(users.items(), shade(list(totals.values())), strict=True)
    ]
    tips = {
        "recency": "Recency score",
        "frequency": "Frequency score",
        "segment": "Segment",
        "users": "Buyers",
        "revenue": "Revenue",
    }
    scores = [str(score) for score in sorted({score for cell in users for score in cell} | {1, 2, 3, 4, 5})]
    # A pair of scores that nobody has is an empty cell, not a hole.
    cells += [
        {"recency": recency, "frequency": frequency, "shade": None, "short": "", "segment": ""}
        | {"users": "0", "revenue": formats.NOTHING}
        for recency in scores
        for frequency in scores
        if (int(recency), int(frequency)) not in totals
    ]

    def chart(narrow: bool) -> Chart:
        labelled = [
            cell | {"text": cell["short"] if narrow else f"{cell['short']}\n{cell['segment']}".strip()}
            for cell in cells
        ]
        return heat(
            labelled,
            x=alt.X("recency:O", scale=alt.Scale(domain=scores), axis=_score_axis("recency (5: bought last)")),
            y=alt.Y("frequency:O", scale=alt.Scale(domain=scores[::-1]), axis=_score_axis("frequency (5: buys most)")),
            tips=tips,
            height=len(scores) * 44,
        )

    return Panel.draw(
        chart,
        "Grid of buyers by recency and frequency score, with the segment of each cell",
        title="Buyers by recency and frequency",
        legend=(LegendItem("few to many buyers", RAMP[0], "ramp"),),
    )


def _score_axis(title: str) -> alt.Axis:
    return alt.Axis(title=title, labelAngle=0, ticks=False, domain=False, grid=False)


def _segments(rows: list[Row]) -> Panel:
    users, revenue = by_segment(rows)
    all_users, all_revenue = sum(users.values()) or 1, sum(revenue.values()) or 1
    tips = {"name": "Segment", "users": "Buyers", "revenue": "Revenue"}
    cells: list[Row] = [
        {
            "name": formats.words(segment),
            "order": order,
            "value": share,
            "color": color,
            "text": formats.percent(share),
            "users": f"{formats.count(users[segment])} ({formats.percent(users[segment] / all_users)})",
            "revenue": f"{formats.amount(revenue[segment])} ({formats.percent(revenue[segment] / all_revenue)})",
        }
        for segment in sorted(revenue, key=lambda name: (-revenue[name], name))
        for order, (share, color) in enumerate(
            ((users[segment] / all_users, _BUYERS), (revenue[segment] / all_revenue, _REVENUE))
        )
    ]

    def chart(narrow: bool) -> Chart:
        top = max(cell["value"] for cell in cells) * 1.2
        base = plot(cells).encode(
            y=alt.Y("name:N", sort=None, axis=names_axis(narrow), scale=alt.Scale(paddingInner=0.25)),
            yOffset=alt.YOffset("order:N"),
            x=alt.X("value:Q", axis=percents("share of all"), scale=alt.Scale(domain=[0, top], nice=False)),
            tooltip=tooltip(tips),
        )
        marks = base.mark_bar(cornerRadiusEnd=2).encode(color=alt.Color("color:N", scale=None))
        texts = base.mark_text(align="left", baseline="middle", dx=5, fontSize=11).encode(text="text:N")
        return alt.layer(marks, texts).properties(width="container", height=len(revenue) * 38)

    return Panel.draw(
        chart,
        "Share of buyers and share of revenue by segment",
        title="What each segment is worth",
        legend=legend_of({"share of buyers": _BUYERS, "share of revenue": _REVENUE}),
    )


def bought_together(answer: pa.Table) -> Figure:
    """The pairs of products that are bought in one session more often than chance would have it."""
    rows = rows_of(answer, "product_a", "product_b", "label_a", "label_b", "sessions", "support", "confidence", "lift")
    cells = [
        {
            "name": f"{_product(row['label_a'], row['product_a'])}\n+ {_product(row['label_b'], row['product_b'])}",
            "value": row["sessions"],
            "short": formats.count(row["sessions"]),
            "text": f"{formats.count(row['sessions'])} ({formats.decimal(row['lift'])} times)",
            "a": _product(row["label_a"], row["product_a"]),
            "b": _product(row["label_b"], row["product_b"]),
            "sessions": formats.count(row["sessions"]),
            "confidence": formats.percent(row["confidence"]),
            "lift": f"{formats.decimal(row['lift'])} times",
        }
        for row in rows[:_PAIRS]
    ]
    tips = {
        "a": "Product",
        "b": "Together with",
        "sessions": "Sessions",
        "confidence": "Of those who buy the first",
        "lift": "More often than by chance",
    }

    def chart(narrow: bool) -> Chart:
        return bars(cells, axis=numbers("sessions with both", whole=True), tips=tips, narrow=narrow, lines=True)

    return Figure(
        panels=(Panel.draw(chart, "Pairs of products by the number of sessions that bought both"),),
        caption=f"The first {len(cells)} pairs. In brackets: how many times more often the two meet than "
        "they would by chance: above 1 they belong together.",
    )


def _product(label: str | None, number: int) -> str:
    return f"{formats.words(label) if label else 'product'} #{number}"


DRAWINGS: Final = {
    "rfm_segments": Drawing(rfm_segments, empty="Nobody bought in this period."),
    "bought_together": Drawing(bought_together, empty="No two products were bought together often enough to tell."),
}
