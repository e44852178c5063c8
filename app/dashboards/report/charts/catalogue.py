"""Pictures of what visitors look at and buy: categories, sub-categories, brands."""

from collections.abc import Callable
from typing import Final

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import (
    EVENT_COLORS,
    MAIN,
    SECOND,
    Chart,
    Drawing,
    Figure,
    Panel,
    Row,
    legend_of,
    rows_of,
)
from app.dashboards.report.shapes import bar_step, bars, names_axis, numbers, percents, plot, tooltip

_SUB_CATEGORIES: Final = 20
"""As many sub-categories as a reader can take in; the table below the chart has the rest."""

_CATEGORIES: Final = 15
_STEPS: Final = {"views": "view", "carts": "cart", "purchases": "purchase"}


def most_viewed_sub_categories(answer: pa.Table) -> Figure:
    """The sub-categories that draw the most views."""
    rows = rows_of(answer, "rank", "department", "sub_category", "views", "users")
    cells = [
        {
            "name": formats.category(row["department"], row["sub_category"]),
            "value": row["views"],
            "text": formats.compact(row["views"]),
            "views": formats.count(row["views"]),
            "users": formats.count(row["users"]),
        }
        for row in sorted(rows, key=lambda row: row["rank"])
    ]
    tips = {"name": "Sub-category", "views": "Views", "users": "Visitors"}
    return Figure(
        panels=(_bar_panel(cells, "views", tips, "Most viewed sub-categories"),),
        caption=f"The {len(rows)} most viewed sub-categories, each with its department.",
    )


def views_by_category(answer: pa.Table) -> Figure:
    """How the views spread over the departments."""
    rows = rows_of(answer, "department", "views", "share")
    cells = [
        {
            "name": formats.words(row["department"]),
            "value": row["views"],
            "text": f"{formats.percent(row['share'])}",
            "views": formats.count(row["views"]),
        }
        for row in rows[:_CATEGORIES]
    ]
    return Figure(
        panels=(
            _bar_panel(cells, "views", {"name": "Category", "views": "Views", "text": "Share"}, "Views by category"),
        ),
        caption="Share of all views.",
    )


def purchases_by_category(answer: pa.Table) -> Figure:
    """How revenue and purchases spread over the departments."""
    rows = rows_of(answer, "department", "purchases", "revenue", "share", "revenue_share")
    rows = sorted(rows, key=lambda row: (-row["revenue"], str(row["department"])))
    cells = [
        {
            "name": formats.words(row["department"]),
            "value": row["revenue"],
            "text": formats.percent(row["revenue_share"]),
            "share": formats.percent(row["share"]),
            "revenue": formats.amount(row["revenue"]),
            "purchases": formats.count(row["purchases"]),
        }
        for row in rows[:_CATEGORIES]
    ]
    tips = {
        "name": "Category",
        "revenue": "Revenue",
        "text": "Share of revenue",
        "purchases": "Purchases",
        "share": "Share of purchases",
    }
    return Figure(
        panels=(_bar_panel(cells, "revenue", tips, "Revenue by category", "var(--c-purchase)"),),
        caption="Share of all revenue, in the store's currency.",
    )


def purchase_conversion_volume(answer: pa.Table) -> Figure:
    """Views, carts and purchases of a sub-category on one line."""
    rows = rows_of(answer, "department", "sub_category", "views", "carts", "purchases")
    rows = sorted(rows, key=lambda row: (-row["views"], str(row["department"]), str(row["sub_category"])))
    cells = [
        {
            "name": formats.category(row["department"], row["sub_category"]),
            "step": step,
            "value": row[step],
            "color": EVENT_COLORS[kind],
            **{name: formats.count(row[name]) for name in _STEPS},
        }
        for row in rows[:_SUB_CATEGORIES]
        for step, kind in _STEPS.items()
        if row[step]
    ]

    def chart(narrow: bool) -> Chart:
        base = plot(cells).encode(
            y=alt.Y("name:N", sort=None, axis=names_axis(narrow)),
            tooltip=tooltip({"name": "Sub-category", "views": "Views", "carts": "Carts", "purchases": "Purchases"}),
        )
        axis = numbers("events (logarithmic scale)")
        axis.values = [10**power for power in range(8)]
        scale = alt.Scale(type="log", nice=False, padding=8)
        lines = base.mark_rule(color="var(--line-strong)", strokeWidth=2).encode(
            x=alt.X("min(value):Q", scale=scale, axis=axis), x2="max(value):Q"
        )
        dots = base.mark_circle(size=110, opacity=1).encode(
            x=alt.X("value:Q", scale=scale), color=alt.Color("color:N", scale=None)
        )
        return alt.layer(lines, dots).properties(
            width="container", height=min(len(rows), _SUB_CATEGORIES) * bar_step(narrow)
        )

    return Figure(
        panels=(
            Panel.draw(
                chart,
                "Views, carts and purchases by sub-category on a logarithmic axis",
                legend=legend_of({step: EVENT_COLORS[kind] for step, kind in _STEPS.items()}),
            ),
        ),
        caption=f"The {min(len(rows), _SUB_CATEGORIES)} sub-categories with the most views. Each step of the axis is "
        "ten times more. The wider the gap between the dots, the more views it takes for a cart or a purchase. "
        "A missing dot is a zero.",
    )


def purchase_conversion_rate(answer: pa.Table) -> Figure:
    """What share of a sub-category's events are views, carts and purchases."""
    columns = ("department", "sub_category", "events", "view_share", "cart_share", "purchase_share", "conversion_rate")
    rows = rows_of(answer, *columns)
    rows = sorted(rows, key=lambda row: (-row["events"], str(row["department"]), str(row["sub_category"])))
    names = {"view_share": "views", "cart_share": "carts", "purchase_share": "purchases"}
    colors = {share: EVENT_COLORS[_STEPS[step]] for share, step in names.items()}
    cells = [
        {
            "name": formats.category(row["department"], row["sub_category"]),
            "order": order,
            "share": row[share] or 0,
            "color": colors[share],
            "text": formats.percent(row["conversion_rate"]),
            "events": formats.count(row["events"]),
            **{name: formats.percent(row[column]) for column, name in names.items()},
        }
        for row in rows[:_SUB_CATEGORIES]
        for order, share in enumerate(names)
    ]
    tips = {
        "name": "Sub-category",
        "events": "Events",
        "views": "Views",
        "carts": "Carts",
        "purchases": "Purchases",
        "text": "Purchases per view",
    }

    def stacked(shown: list[Row], title: str, limit: float | None) -> Callable[[bool], Chart]:
        def chart(narrow: bool) -> Chart:
            scale = alt.Scale(nice=False) if limit is None else alt.Scale(domain=[0, limit], nice=False)
            base = plot(shown).encode(
                y=alt.Y("name:N", sort=None, axis=names_axis(narrow)), tooltip=tooltip(tips), order="order:Q"
            )
            stack: alt.Chart = base.mark_bar(height=alt.RelativeBandSize(band=0.72)).encode(
                x=alt.X("share:Q", stack="zero", axis=percents(title), scale=scale),
                color=alt.Color("color:N", scale=None),
            )
            return stack.properties(width="container", height=min(len(rows), _SUB_CATEGORIES) * bar_step(narrow))

        return chart

    return Figure(
        panels=(
            Panel.draw(
                stacked(cells, "share of all events", 1.0),
                "Share of views, carts and purchases among the events of a sub-category, stacked to 100 %",
                title="All events",
                legend=legend_of({names[share]: color for share, color in colors.items()}),
            ),
            Panel.draw(
                stacked([cell for cell in cells if cell["order"]], "share of all events", None),
                "The same for carts and purchases alone, enlarged",
                title="Carts and purchases, enlarged",
                legend=legend_of({names[share]: colors[share] for share in ("cart_share", "purchase_share")}),
            ),
        ),
        columns=2,
        caption=f"The {min(len(rows), _SUB_CATEGORIES)} sub-categories with the most events. "
        "Point at a bar for its purchases per view.",
    )


def top_brands(answer: pa.Table) -> Figure:
    """The brands that sell most often, and what they bring."""
    rows = sorted(rows_of(answer, "rank", "brand", "purchases", "revenue"), key=lambda row: row["rank"])
    tips = {"name": "Brand", "purchases": "Purchases", "revenue": "Revenue"}
    base = [
        {
            "name": row["brand"],
            "purchases": formats.count(row["purchases"]),
            "revenue": formats.amount(row["revenue"]),
        }
        for row in rows
    ]
    sold = [
        cell | {"value": row["purchases"], "text": formats.compact(row["purchases"])}
        for cell, row in zip(base, rows, strict=True)
    ]
    earned = [
        cell | {"value": row["revenue"], "text": formats.amount(row["revenue"])}
        for cell, row in zip(base, rows, strict=True)
    ]
    return Figure(
        panels=(
            _bar_panel(sold, "purchases", tips, "Purchases by brand", SECOND, title="Purchases"),
            _bar_panel(earned, "revenue", tips, "Revenue by brand", "var(--c-purchase)", title="Revenue"),
        ),
        columns=2,
        caption=f"The {len(rows)} brands with the most purchases, in the same order on both sides. "
        "Purchases of products without a brand are left out.",
    )


def _bar_panel(
    cells: list[Row], unit: str, tips: dict[str, str], description: str, color: str = MAIN, title: str = ""
) -> Panel:
    axis_of = {"views": True, "purchases": True}

    def chart(narrow: bool) -> Chart:
        return bars(cells, axis=numbers(unit, whole=axis_of.get(unit, False)), tips=tips, narrow=narrow, color=color)

    return Panel.draw(chart, description, title=title)


DRAWINGS: Final = {
    "most_viewed_sub_categories": Drawing(most_viewed_sub_categories),
    "views_by_category": Drawing(views_by_category, half=True),
    "purchases_by_category": Drawing(purchases_by_category, half=True, empty="Nobody bought in this period."),
    "purchase_conversion_volume": Drawing(purchase_conversion_volume),
    "purchase_conversion_rate": Drawing(purchase_conversion_rate),
    "top_brands": Drawing(top_brands, empty="No product with a brand was bought."),
}
