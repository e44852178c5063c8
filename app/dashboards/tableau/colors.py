"""Colours that a colour-blind person can tell apart: Okabe and Ito's, with greys that are darker than all of them."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.dashboards.tableau.markup import Element, element
from app.dashboards.tableau.parameters import string_value

MAIN: Final = "#0072b2"
SECOND: Final = "#d55e00"
INK: Final = "#333333"

EVENT_TYPES: Final[Mapping[str, str]] = {
    string_value("view"): "#0072b2",
    string_value("cart"): "#e69f00",
    string_value("remove_from_cart"): "#666666",
    string_value("purchase"): "#009e73",
}
ANOMALIES: Final[Mapping[str, str]] = {"false": MAIN, "true": SECOND}
SEGMENTS: Final[Mapping[str, str]] = {
    string_value("champions"): "#009e73",
    string_value("loyal"): "#56b4e9",
    string_value("at_risk"): "#d55e00",
    string_value("big_spenders"): "#cc79a7",
    string_value("new"): "#f0e442",
    string_value("lost"): "#444444",
    string_value("regular"): "#0072b2",
}
BY_COLUMN: Final[Mapping[str, Mapping[str, str]]] = {
    "event_type": EVENT_TYPES,
    "is_anomaly": ANOMALIES,
    "segment": SEGMENTS,
}
"""The colour of each value, as Tableau writes it, of the columns whose values are known."""

RAMP: Final = ("#f0f4f9", "#a6cbe3", "#4393c3", "#08519c")
"""From little to much, in lightness alone."""


def value_colors(field: str, colors: Mapping[str, str]) -> Element:
    """Give a colour to each value of a discrete field."""
    maps = [element("map", {"to": color}, [element("bucket", text=value)]) for value, color in colors.items()]
    return element("encoding", {"attr": "color", "field": field, "type": "palette"}, maps)


def ramp_colors(field: str) -> Element:
    """Colour a continuous field by the ramp."""
    stops = [element("color", text=color) for color in RAMP]
    palette = element("color-palette", {"custom": "true", "name": "", "type": "ordered-sequential"}, stops)
    return element("encoding", {"attr": "color", "field": field, "type": "custom-interpolated"}, [palette])


def palettes() -> Iterable[Element]:
    """The palettes that the workbook offers to whoever changes a sheet."""
    regular = {"Shop: event types": EVENT_TYPES.values(), "Shop: segments": SEGMENTS.values()}
    for name, colors in regular.items():
        yield _palette(name, "regular", colors)
    yield _palette("Shop: little to much", "ordered-sequential", RAMP)


def _palette(name: str, kind: str, colors: Iterable[str]) -> Element:
    return element("color-palette", {"name": name, "type": kind}, [element("color", text=color) for color in colors])
