"""A dashboard: its title, its choices and legends, and its sheets in rows, in a size that fits a laptop."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Final

from app.dashboards.tableau import colors, parameters, worksheet
from app.dashboards.tableau.datasource import Source
from app.dashboards.tableau.fields import formatted_text
from app.dashboards.tableau.identity import simple_id
from app.dashboards.tableau.markup import Element, element
from app.dashboards.tableau.parameters import Parameter
from app.dashboards.tableau.sheet import Pill, Sheet

SIZE: Final = {"minwidth": 1000, "minheight": 620, "maxwidth": 1366, "maxheight": 768}
"""In pixels: from a small window to the screen of a laptop; between them it takes what there is."""

_WHOLE: Final = 100_000
_TITLE_PIXELS: Final = 56
_CONTROL_PIXELS: Final = 60


@dataclass(frozen=True)
class Row:
    """Sheets beside one another; `widths` are their shares."""

    sheets: tuple[Sheet, ...]
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Dashboard:
    """Sheets in rows below a title and what it is about."""

    name: str
    subtitle: str
    rows: tuple[Row, ...]

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Its sheets, row by row."""
        return tuple(sheet for row in self.rows for sheet in row.sheets)

    def choices(self, sources: Mapping[str, Source]) -> tuple[Parameter, ...]:
        """Give the choices that any of its sheets is filtered by."""
        found = {choice.name: choice for sheet in self.sheets for choice, _ in sources[sheet.question].filters}
        return tuple(found.values())

    def with_sheets_of(self, sources: Mapping[str, Source]) -> "Dashboard":
        """Leave out the sheets whose source is not there, and the rows that have none left."""
        rows = []
        for row in self.rows:
            kept = [
                (sheet, width) for sheet, width in zip(row.sheets, row.widths, strict=True) if sheet.question in sources
            ]
            if kept:
                rows.append(Row(tuple(sheet for sheet, _ in kept), tuple(width for _, width in kept)))
        return Dashboard(self.name, self.subtitle, tuple(rows))


@dataclass(frozen=True)
class _Box:
    x: int
    y: int
    width: int
    height: int

    @property
    def attributes(self) -> dict[str, int]:
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}

    def split(self, shares: Sequence[int], *, down: bool) -> list["_Box"]:
        """Divide it by shares, one below the other or beside, without a gap."""
        whole, start = (self.height, self.y) if down else (self.width, self.x)
        edges = [start + whole * sum(shares[:index]) // sum(shares) for index in range(len(shares) + 1)]
        pairs = list(pairwise(edges))
        if down:
            return [_Box(self.x, top, self.width, bottom - top) for top, bottom in pairs]
        return [_Box(left, self.y, right - left, self.height) for left, right in pairs]


@dataclass
class _Zones:
    """Makes the zones of one dashboard, with ids that count up."""

    dashboard: Dashboard
    sources: Mapping[str, Source]
    numbers: Iterator[int] = field(default_factory=lambda: count(3))

    def root(self) -> Element:
        whole = _Box(0, 0, _WHOLE, _WHOLE)
        heights = (_TITLE_PIXELS, _CONTROL_PIXELS, SIZE["maxheight"] - _TITLE_PIXELS - _CONTROL_PIXELS)
        title, controls, body = whole.split(heights, down=True)
        rows = body.split([1] * len(self.dashboard.rows), down=True) if self.dashboard.rows else []
        children = [
            self.title(title),
            self.flow(controls, self.controls(controls), pixels=_CONTROL_PIXELS),
            *(self.row(row, box) for row, box in zip(self.dashboard.rows, rows, strict=True)),
        ]
        return self.zone(whole, {"type-v2": "layout-basic"}, [self.flow(whole, children, down=True)], margin=8)

    def title(self, box: _Box) -> Element:
        texts = formatted_text(
            (self.dashboard.name, {"bold": "true", "fontcolor": colors.INK, "fontsize": 16}),
            (f"   {self.dashboard.subtitle} {self.scope()}", {"fontcolor": colors.INK, "fontsize": 9}),
        )
        return self.zone(box, {"type-v2": "text"}, [texts], pixels=_TITLE_PIXELS)

    def scope(self) -> str:
        """Say which sheets a choice does not act on, since their questions have no such column."""
        words = []
        for choice in self.dashboard.choices(self.sources):
            names = [
                sheet.name
                for sheet in self.dashboard.sheets
                if choice in [item for item, _ in self.sources[sheet.question].filters]
            ]
            words.append(
                f"{choice.caption}: all sheets."
                if len(names) == len(self.dashboard.sheets)
                else f"{choice.caption} acts on: {'; '.join(names)}."
            )
        return " ".join(words)

    def controls(self, box: _Box) -> list[Element]:
        choices = self.dashboard.choices(self.sources)
        legends: dict[Pill, Sheet] = {}
        for sheet in self.dashboard.sheets:
            if sheet.color:
                legends.setdefault(sheet.color, sheet)
        boxes = iter(box.split([1] * (len(choices) + len(legends)), down=False) if choices or legends else [])
        zones = [
            self.zone(next(boxes), {"mode": "compact", "param": choice.reference, "type-v2": "paramctrl"})
            for choice in choices
        ]
        for sheet in legends.values():
            attributes = {
                "leg-item-layout": "horz",
                "name": sheet.name,
                "pane-specification-id": "1" if sheet.line else "0",
                "param": worksheet.legend(sheet, self.sources[sheet.question]),
                "type-v2": "color",
            }
            zones.append(self.zone(next(boxes), attributes))
        return zones

    def row(self, row: Row, box: _Box) -> Element:
        boxes = box.split(row.widths, down=False)
        return self.flow(
            box,
            [self.zone(part, {"name": sheet.name}) for sheet, part in zip(row.sheets, boxes, strict=True)],
        )

    def flow(self, box: _Box, children: Sequence[Element], *, down: bool = False, pixels: int | None = None) -> Element:
        """Children below or beside one another; they take the whole of it."""
        attributes = {"param": "vert" if down else "horz", "type-v2": "layout-flow"}
        return self.zone(box, attributes, children, margin=None, pixels=pixels)

    def zone(
        self,
        box: _Box,
        attributes: Mapping[str, str],
        children: Sequence[Element] = (),
        *,
        margin: int | None = 4,
        pixels: int | None = None,
    ) -> Element:
        """A part of the dashboard; `pixels` is its height where that stays whatever the dashboard's is."""
        formats = {"border-color": "#000000", "border-style": "none", "border-width": "0", "margin": str(margin)}
        style = element(
            "zone-style",
            children=[element("format", {"attr": name, "value": value}) for name, value in formats.items()],
        )
        fixed: dict[str, str | int] = {"fixed-size": pixels, "is-fixed": "true"} if pixels else {}
        return element(
            "zone",
            {**box.attributes, "id": next(self.numbers), **attributes, **fixed},
            [*children, *([style] if margin is not None else [])],
        )


def xml(dashboard: Dashboard, sources: Mapping[str, Source]) -> Element:
    """Give the dashboard. `sources` are those of its sheets, by question."""
    size: dict[str, str | int] = {**SIZE, "sizing-mode": "range"}
    children = [element("style"), element("size", size)]
    choices = dashboard.choices(sources)
    if choices:
        children += [
            element("datasources", children=[element("datasource", {"name": parameters.SOURCE})]),
            element("datasource-dependencies", {"datasource": parameters.SOURCE}, (item.xml() for item in choices)),
        ]
    children += [
        element("zones", children=[_Zones(dashboard, sources).root()]),
        element("simple-id", {"uuid": simple_id("dashboard", dashboard.name)}),
    ]
    return element("dashboard", {"enable-sort-zone-taborder": "true", "name": dashboard.name}, children)


def window(dashboard: Dashboard, *, opened: bool) -> Element:
    """Give the dashboard's window; the opened one is what the workbook shows first."""
    viewpoints = [
        element("viewpoint", {"name": sheet.name}, [element("zoom", {"type": sheet.zoom})])
        for sheet in sorted(dashboard.sheets, key=lambda sheet: sheet.name)
    ]
    return element(
        "window",
        {"class": "dashboard", "maximized": "true" if opened else None, "name": dashboard.name},
        [
            element("viewpoints", children=viewpoints),
            element("active", {"id": "-1"}),
            element("simple-id", {"uuid": simple_id("window", dashboard.name)}),
        ],
    )
