"""What a picture of the report consists of, before it becomes HTML.

A figure is tiles (single numbers) and panels (Vega-Lite charts side by side); a panel has one chart for a wide
place and one for a narrow one, and the page takes the one that fits. Colours are names of CSS variables, so
that the page decides about light and dark.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pyarrow as pa

Row = dict[str, Any]
Spec = dict[str, Any]
Chart = alt.Chart | alt.LayerChart | alt.FacetChart

MAIN: Final = "var(--c-main)"
SECOND: Final = "var(--c-second)"
ACCENT: Final = "var(--c-accent)"
MUTED: Final = "var(--c-muted)"
EVENT_COLORS: Final = {
    "view": "var(--c-view)",
    "cart": "var(--c-cart)",
    "remove_from_cart": "var(--c-remove)",
    "purchase": "var(--c-purchase)",
}
RAMP: Final = tuple(f"var(--r{step})" for step in range(6))
"""From little to much."""


_NARROW_BELOW: Final = 520
_FIT: Final = alt.AutoSizeParams(type="fit-x", contains="padding")
"""A chart takes the width of its place and the height that its marks need."""


class AnswerError(Exception):
    """An answer lacks a column that its picture is drawn from."""


@dataclass(frozen=True)
class Tile:
    """One number with what it counts and, where it helps, what it is made of."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class LegendItem:
    """A colour and its meaning. `shape`: `box`, `line`, `dot`, or `ramp` for little to much."""

    text: str
    color: str = MAIN
    shape: str = "box"


@dataclass(frozen=True)
class Panel:
    """A chart with its heading, its legend and its description for those who cannot see it."""

    wide: Spec
    narrow: Spec
    description: str
    title: str = ""
    legend: tuple[LegendItem, ...] = ()
    narrow_below: int = _NARROW_BELOW
    """The place's width, in pixels, from which on the wide chart has room."""

    @classmethod
    def draw(
        cls,
        chart: Callable[[bool], Chart],
        description: str,
        title: str = "",
        legend: tuple[LegendItem, ...] = (),
        narrow_below: int = _NARROW_BELOW,
    ) -> "Panel":
        """Draw the chart for a wide place (`chart(False)`) and for a narrow one (`chart(True)`)."""
        wide, narrow = (_spec(chart(is_narrow), description) for is_narrow in (False, True))
        return cls(
            wide=wide, narrow=narrow, description=description, title=title, legend=legend, narrow_below=narrow_below
        )


@dataclass(frozen=True)
class Figure:
    """A picture of an answer. `columns`: how many panels stand side by side where there is room."""

    tiles: tuple[Tile, ...] = ()
    panels: tuple[Panel, ...] = ()
    columns: int = 1
    caption: str = ""


@dataclass(frozen=True)
class Drawing:
    """How a question is drawn. `empty` is what to say without a row.

    `half`: whether the figure is content with half the page's width.
    """

    draw: Callable[[pa.Table], Figure]
    empty: str = "No data for this question in this period."
    half: bool = False


def rows_of(answer: pa.Table, *columns: str) -> list[Row]:
    """Return the named columns as rows, money as float: a picture needs no cents.

    Raises AnswerError, naming the missing columns.
    """
    missing = [column for column in columns if column not in answer.column_names]
    if missing:
        raise AnswerError(f"lacks the columns {', '.join(missing)}; it has {', '.join(answer.column_names)}")
    table = answer.select(list(columns))
    for index, column in enumerate(table.schema):
        if pa.types.is_decimal(column.type):
            table = table.set_column(index, column.name, table.column(index).cast(pa.float64()))
    rows: list[Row] = table.to_pylist()
    return rows


def legend_of(names: Mapping[str, str]) -> tuple[LegendItem, ...]:
    """Return a legend of boxes: text -> colour."""
    return tuple(LegendItem(text, color) for text, color in names.items())


def _spec(chart: Chart, description: str) -> Spec:
    spec: Spec = chart.properties(description=description, autosize=_FIT).to_dict()
    # The theme stands once in the page, and the schema's address would be the only one in the specification.
    for key in ("config", "$schema"):
        spec.pop(key, None)
    return spec
