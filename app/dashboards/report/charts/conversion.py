"""Pictures of the way from a view to a purchase: the funnel of sessions and the carts left behind."""

from typing import Final

import altair as alt
import pyarrow as pa

from app.dashboards.report import formats
from app.dashboards.report.figures import ACCENT, Chart, Drawing, Figure, Panel, Row, Tile, rows_of
from app.dashboards.report.shapes import day_bars, day_fields, day_line, numbers, percents, plot, tooltip

_BAR: Final = 0.56
"""Height of a step's bar; the rest of the step leads over to the next one."""


def session_funnel(answer: pa.Table) -> Figure:
    """The sessions that get to each step, as a funnel, with the purchases that skip the cart beside it."""
    row = rows_of(
        answer,
        "sessions",
        "sessions_with_view",
        "sessions_with_cart",
        "sessions_with_purchase",
        "sessions_with_cart_and_purchase",
        "purchases_without_cart",
        "view_to_cart_rate",
        "cart_to_purchase_rate",
        "purchase_rate",
    )[0]
    steps: tuple[tuple[str, int, float | None], ...] = (
        ("View a product", row["sessions_with_view"], None),
        ("Put it into a cart", row["sessions_with_cart"], row["view_to_cart_rate"]),
        ("Buy it from the cart", row["sessions_with_cart_and_purchase"], row["cart_to_purchase_rate"]),
    )
    description = "Funnel of sessions: " + ", ".join(f"{name} {formats.count(number)}" for name, number, _ in steps)
    return Figure(
        tiles=(
            Tile(
                formats.percent(row["purchase_rate"]),
                "of all sessions buy",
                f"{formats.count(row['sessions_with_purchase'])} of {formats.count(row['sessions'])}",
            ),
            Tile(formats.percent(row["view_to_cart_rate"]), "go on from a view to a cart"),
            Tile(formats.percent(row["cart_to_purchase_rate"]), "go on from a cart to a purchase"),
            Tile(
                formats.count(row["purchases_without_cart"]),
                "sessions buy without a cart",
                "outside the funnel: they buy at once",
            ),
        ),
        panels=(Panel.draw(lambda narrow: _funnel(steps, narrow), description),),
        caption="Sessions that reach each step at least once. A session ends when its visitor pauses for 30 minutes.",
    )


def _funnel(steps: tuple[tuple[str, int, float | None], ...], narrow: bool) -> Chart:
    top = max(number for _, number, _ in steps) or 1
    last = len(steps) - 1
    boxes: list[Row] = []
    slopes: list[Row] = []
    rates: list[Row] = []
    for index, (name, number, rate) in enumerate(steps):
        boxes.append(
            {
                "y": index,
                "y2": index + _BAR,
                "x": -number / 2,
                "x2": number / 2,
                "name": name,
                "sessions": formats.count(number),
                "share": formats.percent(number / top),
                "color": ("var(--c-view)", "var(--c-cart)", "var(--c-purchase)")[index],
            }
        )
        if index < last:
            following = steps[index + 1][1]
            slopes += [
                {"slope": index, "y": index + _BAR, "x": -number / 2, "x2": number / 2},
                {"slope": index, "y": index + 1, "x": -following / 2, "x2": following / 2},
            ]
        if index:
            rates.append({"y": index - (1 - _BAR) / 2, "x": 0, "text": f"{formats.percent(rate)} go on"})
    names = [f"{box['name']}\n{box['sessions']} ({box['share']})" for box in boxes]
    labels = alt.Axis(
        values=[index + _BAR / 2 for index in range(len(steps))],
        labelExpr="split(" + repr(names) + "[floor(datum.value)], '\\n')",
        labelLineHeight=17,
        labelOffset=-8,
        labelFontSize=12 if narrow else 13,
        labelLimit=200,
        labelPadding=10,
        title=None,
        grid=False,
        ticks=False,
        domain=False,
    )
    y_scale = alt.Scale(domain=[last + _BAR, 0], nice=False, zero=False)
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-top / 2, top / 2], nice=False))
    y = alt.Y("y:Q", axis=labels, scale=y_scale)
    bars = (
        plot(boxes)
        .mark_rect(cornerRadius=3)
        .encode(
            x=x,
            x2="x2:Q",
            y=y,
            y2="y2:Q",
            color=alt.Color("color:N", scale=None),
            tooltip=tooltip({"name": "Step", "sessions": "Sessions", "share": "Share of the first step"}),
        )
    )
    areas = plot(slopes).mark_area(orient="horizontal", color="var(--c-slope)", line=False)
    areas = areas.encode(x=x, x2="x2:Q", y=y, detail="slope:N")
    texts = plot(rates).mark_text(fontWeight="bold", fontSize=13, color="var(--ink)").encode(x=x, y=y, text="text:N")
    return alt.layer(areas, bars, texts).properties(width="container", height=300)


def abandoned_carts(answer: pa.Table) -> Figure:
    """The carts that are left behind: how many, how often, and what was in them."""
    rows = rows_of(
        answer,
        "event_date",
        "sessions_with_cart",
        "abandoned_sessions",
        "abandoned_rate",
        "abandoned_items",
        "abandoned_value",
    )
    carts, left, items, value = (
        sum(row[column] or 0 for row in rows)
        for column in ("sessions_with_cart", "abandoned_sessions", "abandoned_items", "abandoned_value")
    )
    tiles = (
        Tile(formats.amount(value), "left in carts", "in the store's currency"),
        Tile(formats.percent(left / carts if carts else None), "of carts are abandoned"),
        Tile(formats.count(left), "sessions left a cart", f"of {formats.count(carts)} with a cart"),
        Tile(formats.count(items), "products were in them"),
    )
    panels = _abandoned_by_day(rows) if len(rows) > 1 else ()
    return Figure(
        tiles=tiles,
        panels=panels,
        columns=2,
        caption="A cart is abandoned when its session ends without a purchase. "
        "Days (UTC) are those of the session's start.",
    )


def _abandoned_by_day(rows: list[Row]) -> tuple[Panel, ...]:
    cells = [
        day_fields(row["event_date"])
        | {
            "money": formats.amount(row["abandoned_value"]),
            "carts": formats.count(row["abandoned_sessions"]),
            "rate": formats.percent(row["abandoned_rate"]),
            "abandoned_value": row["abandoned_value"],
            "abandoned_rate": row["abandoned_rate"],
        }
        for row in rows
    ]
    tips = {"day": "Day", "money": "Value left", "carts": "Abandoned carts", "rate": "Share of carts"}
    values = [cell | {"value": cell["abandoned_value"]} for cell in cells]
    shares = [cell | {"value": cell["abandoned_rate"]} for cell in cells]
    return (
        Panel.draw(
            lambda _: day_bars(values, axis=numbers("value per day"), tips=tips, color="var(--c-cart)"),
            "Value of abandoned carts per day",
            title="Value left in carts",
        ),
        Panel.draw(
            lambda _: day_line(shares, axis=percents("share of carts"), tips=tips, color=ACCENT),
            "Share of carts that are abandoned, per day",
            title="Share of carts abandoned",
        ),
    )


DRAWINGS: Final = {
    "session_funnel": Drawing(session_funnel),
    "abandoned_carts": Drawing(abandoned_carts, empty="Nobody put anything into a cart in this period."),
}
