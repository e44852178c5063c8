"""The shapes that charts are built from: bars by name, bars and lines by day, heat maps.

All are as wide as their place. Rows carry their labels as text (`text`), formatted once in
`app.dashboards.report.formats`, so that charts, tiles and sentences write a number alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt

from app.dashboards.report import formats
from app.dashboards.report.figures import MAIN, RAMP, Chart, Row

_BAR_STEP: Final = 26
_BAR_STEP_NARROW: Final = 30
_SECOND_LINE: Final = 12

_CHARACTER: Final = 7.2
"""Width of a character of a label, in pixels: a little more than most take."""

_TEXT_GAP: Final = 5
_DAYS_WITH_OWN_LABEL: Final = 14
_DAYS_OF_A_LINE: Final = 4
_STRONG_FROM: Final = 4
"""From this step of the ramp on, a cell is strong enough for the other ink."""

_COMPACT_LABEL: Final = (
    "abs(datum.value) < 10000 ? format(datum.value, ',~f') : replace(format(datum.value, '~s'), /([kMG])$/, ' $1')"
)

_PERCENT_LABEL: Final = f"replace(format(datum.value, '~%'), '%', '{formats.SPACE}%')"
_DAYS_AXIS_EXTENT: Final = 46
"""Width kept for the numbers beside charts by day, so that their days stand below each other."""


def plot(rows: Sequence[Row]) -> alt.Chart:
    """Start a chart over the rows."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def tooltip(names: Mapping[str, str]) -> list[alt.Tooltip]:
    """Return a tooltip of text fields: field -> heading."""
    return [alt.Tooltip(field=field, type="nominal", title=title) for field, title in names.items()]


def numbers(title: str, *, whole: bool = False, grid: bool = True) -> alt.Axis:
    """Return an axis of compact numbers (`20 k`) whose title is the unit."""
    options: dict[str, Any] = {"tickMinStep": 1} if whole else {}
    return alt.Axis(
        title=title, labelExpr=_COMPACT_LABEL, tickCount=5, grid=grid, labelSeparation=8, labelOverlap=True, **options
    )


def percents(title: str, *, grid: bool = True) -> alt.Axis:
    """Return an axis of percentages."""
    return alt.Axis(title=title, labelExpr=_PERCENT_LABEL, tickCount=5, grid=grid, labelSeparation=8, labelOverlap=True)


def bar_step(narrow: bool) -> int:
    """Return the height of a horizontal bar with its gap, in pixels; in a narrow place its name has two lines."""
    return _BAR_STEP_NARROW if narrow else _BAR_STEP


def names_axis(narrow: bool, *, lines: bool = False) -> alt.Axis:
    """Return the axis of names at a bar's left; `lines` breaks a name at its line ends."""
    axis = alt.Axis(title=None, labelLimit=230, ticks=False, domain=False, labelPadding=8, grid=False)
    if lines:
        axis["labelExpr"], axis["labelLineHeight"], axis["labelOffset"] = "split(datum.label, '\\n')", 14, -7
    if narrow:
        axis["labelLimit"], axis["labelFontSize"], axis["labelPadding"] = 185, 11, 5
    if narrow and not lines:
        # What stands in brackets or behind a colon goes below the rest.
        axis["labelExpr"] = "split(replace(replace(datum.label, ' (', '\\n('), ': ', ':\\n'), '\\n')"
        axis["labelLineHeight"] = 12
        axis["labelOffset"] = {"condition": {"test": "test(/ \\(|: /, datum.label)", "value": -6}, "value": 0}
    return axis


def bars(
    rows: Sequence[Row],
    *,
    axis: alt.Axis,
    tips: Mapping[str, str],
    narrow: bool,
    color: str = MAIN,
    color_field: str | None = None,
    lines: bool = False,
) -> Chart:
    """Draw one horizontal bar a row, in the rows' order: `name`, `value`, `text` at the bar's end.

    In a narrow place the text is `short`, where a row has it.

    `color_field` names a field that holds each bar's colour.
    """
    longest = max((row["value"] or 0 for row in rows), default=0) or 1
    shown = [row | {"text": row.get("short", row["text"])} for row in rows] if narrow else rows
    # Room for the text at the longest bar's end, which would be cut otherwise.
    room = _CHARACTER * max(len(row["text"]) for row in shown) + _TEXT_GAP
    lengths: list[Any] = [0, alt.ExprRef(f"max(20, width - {room:.0f})")]
    base = plot(shown).encode(
        y=alt.Y("name:N", sort=None, axis=names_axis(narrow, lines=lines)),
        x=alt.X("value:Q", axis=axis, scale=alt.Scale(domain=[0, longest], nice=False, range=lengths)),
        tooltip=tooltip(tips),
    )
    fill: Any = alt.value(color) if color_field is None else alt.Color(field=color_field, type="nominal", scale=None)
    marks = base.mark_bar(cornerRadiusEnd=2, height=alt.RelativeBandSize(band=0.72)).encode(color=fill)
    texts = base.mark_text(align="left", baseline="middle", dx=_TEXT_GAP).encode(text="text:N")
    step = _BAR_STEP + _SECOND_LINE if lines else bar_step(narrow)
    return alt.layer(marks, texts).properties(width="container", height=len(rows) * step)


def days_axis(rows: Sequence[Row]) -> alt.X:
    """Return the axis of the rows' `date` (ISO text): every day labelled where few, a time line where many."""
    days = len({row["date"] for row in rows})
    if days > _DAYS_WITH_OWN_LABEL:
        axis = alt.Axis(format="%-d %b", title=None, labelAngle=0, labelOverlap=True, grid=False, tickCount=8)
        return alt.X("utcyearmonthdate(date):T", axis=axis)
    label = "utcFormat(toDate(datum.value), '%-d %b')"
    axis = alt.Axis(labelExpr=label, title=None, labelAngle=0, labelOverlap=True, grid=False, ticks=False)
    return alt.X("date:O", axis=axis)


def day_fields(date: Any) -> Row:
    """Return the fields of a day that `days_axis` and tooltips need."""
    return {"date": date.isoformat(), "day": formats.day(date)}


def day_bars(
    rows: Sequence[Row],
    *,
    axis: alt.Axis,
    tips: Mapping[str, str],
    color: str = MAIN,
    color_field: str | None = None,
    height: int = 150,
) -> Chart:
    """Draw one upright bar a day: `date`, `value`."""
    fill: Any = alt.value(color) if color_field is None else alt.Color(field=color_field, type="nominal", scale=None)
    days = len({row["date"] for row in rows})
    # Few days keep slim bars instead of blocks as wide as the page.
    width = alt.RelativeBandSize(band=0.8 if days > _DAYS_WITH_OWN_LABEL else min(0.7, 0.1 * days))
    marks = plot(rows).mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2, width=width)
    chart: alt.Chart = marks.encode(
        x=days_axis(rows), y=alt.Y("value:Q", axis=_aligned(axis)), color=fill, tooltip=tooltip(tips)
    )
    return chart.properties(width="container", height=height)


def day_line(
    rows: Sequence[Row], *, axis: alt.Axis, tips: Mapping[str, str], color: str = MAIN, height: int = 150
) -> Chart:
    """Draw a line with a dot a day: `date`, `value`. It starts at 0, so that a small change looks small.

    A few days are bars instead: a line between them would tell of days that are not there.
    """
    if len({row["date"] for row in rows}) < _DAYS_OF_A_LINE:
        return day_bars(rows, axis=axis, tips=tips, color=color, height=height)
    base = plot(rows).encode(x=days_axis(rows), y=alt.Y("value:Q", axis=_aligned(axis), scale=alt.Scale(zero=True)))
    line = base.mark_line(strokeWidth=2, color=color)
    dots = base.mark_circle(size=40, color=color, opacity=1).encode(tooltip=tooltip(tips))
    return alt.layer(line, dots).properties(width="container", height=height)


def _aligned(axis: alt.Axis) -> alt.Axis:
    """Return the axis with room for its numbers, so that the days of charts below each other are in line."""
    aligned: alt.Axis = axis.copy()
    aligned["minExtent"] = _DAYS_AXIS_EXTENT
    return aligned


def shade(values: Sequence[float | None]) -> list[int | None]:
    """Return each value's step of the colour ramp, from the least (0) to the greatest (5).

    Where all are equal there is neither: they are in the middle, or the least if they are nothing.
    """
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    width = (high - low) or 1.0
    last = len(RAMP) - 1
    equal = last // 2 if high else 0
    return [
        None if value is None else equal if high == low else min(last, int((value - low) / width * len(RAMP)))
        for value in values
    ]


def heat(
    rows: Sequence[Row],
    *,
    x: alt.X,
    y: alt.Y,
    tips: Mapping[str, str],
    height: int,
    font_size: float = 11,
) -> Chart:
    """Draw a cell a row: `shade` (step of the ramp, NULL for a neutral cell) as colour, `text` as label."""
    cells = [
        row
        | {
            "fill": "var(--r-none)" if row["shade"] is None else RAMP[row["shade"]],
            "ink": "var(--on-strong)" if (row["shade"] or 0) >= _STRONG_FROM else "var(--on-weak)",
        }
        for row in rows
    ]
    base = plot(cells).encode(x=x, y=y, tooltip=tooltip(tips))
    boxes = base.mark_rect(stroke="var(--card)", strokeWidth=2, cornerRadius=3).encode(
        color=alt.Color("fill:N", scale=None)
    )
    # A text of several lines hangs from its first one.
    above = -0.5 * 1.2 * font_size * max((row["text"].count("\n") for row in rows), default=0)
    labels = base.mark_text(fontSize=font_size, lineBreak="\n", lineHeight=1.2 * font_size, dy=above).encode(
        text="text:N", color=alt.Color("ink:N", scale=None)
    )
    return alt.layer(boxes, labels).properties(width="container", height=height)
