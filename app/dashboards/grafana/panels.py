"""Panels in the style of all dashboards: each has a title, a description, a unit and colours told apart by all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import barchart, bargauge, piechart, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.piechart import PieChartType

from app.dashboards.grafana.sources import Query

COUNT: Final = "short"
MONEY: Final = "short"
"""The store's currency is not known, so that money is a plain number; titles and descriptions say what it is."""
SHARE: Final = "percentunit"
SECONDS: Final = "s"
TEXT: Final = "none"

# Okabe and Ito's palette: told apart also by those who are colour-blind.
BLUE, ORANGE, GREEN, RED, SKY, PINK, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8c8c8c"
COLORS: Final = {
    "view": BLUE,
    "cart": ORANGE,
    "purchase": GREEN,
    "remove_from_cart": GREY,
    "revenue": GREEN,
    "stored": GREEN,
    "duplicates": ORANGE,
    "bad": RED,
    "events": BLUE,
    "sessions": BLUE,
}
"""The colour of a series by its name, the same on all dashboards."""

Step = tuple[float, str]
"""A value, and the colour from there on."""
Panel = Any
"""A builder of a panel; the library has one class a kind, without a common type."""


@dataclass(frozen=True)
class Link:
    """A link from a panel's values to another place."""

    title: str
    url: str


def time_series(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    bars: bool = False,
    stacked: bool = False,
    interval: str = "1h",
    right: Mapping[str, str] | None = None,
    points: Sequence[str] = (),
) -> Panel:
    """Numbers over time, of which the data has one each `interval` at most.

    `right` gives series an axis and a unit of their own, `points` names series that are drawn as points.
    """
    panel = (
        timeseries.Panel()
        .unit(unit)
        .min(0)
        .interval(interval)
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .fill_opacity(70 if bars else 15)
        .line_width(1 if bars else 2)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .calcs(["sum", "max"] if bars or stacked else ["mean", "max"])
        )
        .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL))
    for name in points:
        panel = panel.override_by_name(
            name,
            [
                dashboard.DynamicConfigValue("custom.drawStyle", "points"),
                dashboard.DynamicConfigValue("custom.pointSize", 9),
                dashboard.DynamicConfigValue("custom.showPoints", "always"),
            ],
        )
    for name, of_its_own in (right or {}).items():
        panel = panel.override_by_name(
            name,
            [
                dashboard.DynamicConfigValue("unit", of_its_own),
                dashboard.DynamicConfigValue("custom.axisPlacement", "right"),
                dashboard.DynamicConfigValue("custom.drawStyle", "line"),
                dashboard.DynamicConfigValue("custom.fillOpacity", 0),
                dashboard.DynamicConfigValue("custom.lineWidth", 2),
            ],
        )
    return _named(_colored(panel), title, description, query)


def number(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    steps: Sequence[Step] = (),
    decimals: int | None = None,
    links: Sequence[Link] = (),
) -> Panel:
    """One number: the last of the query. It has the colour of the last step that it reaches."""
    panel = (
        stat.Panel()
        .unit(unit)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common.BigValueColorMode.VALUE if steps else common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .thresholds(_thresholds(steps))
        .no_value("-")
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    if links:
        panel = panel.data_links([_link(link) for link in links])
    return _named(panel, title, description, query)


def bar_chart(
    title: str,
    description: str,
    query: Query,
    unit: str,
    label: str,
    *,
    stacked: bool = False,
    units: Mapping[str, str] | None = None,
) -> Panel:
    """A horizontal bar for each row, named by a column; other units of columns have an axis of their own."""
    panel = (
        barchart.Panel()
        .unit(unit)
        .min(0)
        .x_field(label)
        .orientation(common.VizOrientation.HORIZONTAL)
        .show_value(common.VisibilityMode.AUTO)
        .fill_opacity(80)
        .stacking(common.StackingMode.NORMAL if stacked else common.StackingMode.NONE)
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .calcs([])
        )
        .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for name, of_its_own in (units or {}).items():
        panel = panel.override_by_name(
            name,
            [
                dashboard.DynamicConfigValue("unit", of_its_own),
                dashboard.DynamicConfigValue("custom.axisPlacement", "hidden"),
            ],
        )
    return _named(_colored(panel), title, description, query)


def bars(
    title: str,
    description: str,
    query: Query,
    unit: str,
    transformations: Sequence[dashboard.DataTransformerConfig] = (),
) -> Panel:
    """A bar for each field of one row, such as the steps of a funnel or a leaderboard."""
    panel = (
        bargauge.Panel()
        .unit(unit)
        .min(0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .color_scheme(FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(BLUE))
        .transformations(list(transformations))
        .no_value("nothing loaded")
    )
    return _named(panel, title, description, query)


def shares(title: str, description: str, query: Query, unit: str) -> Panel:
    """A donut of one slice a row."""
    panel = (
        piechart.Panel()
        .unit(unit)
        .pie_type(PieChartType.DONUT)  # lengths are compared more easily than angles
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(True))
        .legend(
            piechart.PieChartLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
        )
    )
    return _named(_colored(panel), title, description, query)


def rows(
    title: str,
    description: str,
    query: Query,
    units: Mapping[str, str],
    *,
    heat: Mapping[str, Sequence[Step]] | None = None,
    transformations: Sequence[dashboard.DataTransformerConfig] = (),
    default_heat: Sequence[Step] = (),
    default_unit: str = TEXT,
    links: Mapping[str, Link] | None = None,
    hidden: Sequence[str] = (),
    sort_by: str = "",
) -> Panel:
    """A table. `heat` colours the cells of a column by steps, `default_heat` those of all others.

    Links may use columns that are `hidden`. `sort_by` is for sources that do not sort: the column, highest first.
    """
    panel = (
        table.Panel()
        .unit(default_unit)
        .filterable(True)
        .cell_height(common.TableCellHeight.SM)
        .transformations(list(transformations))
        .thresholds(_thresholds(default_heat))
        .no_value("-")
    )
    if default_heat:
        panel = panel.cell_options(_colored_cell())
    if sort_by:
        panel = panel.sort_by([TableSortByFieldState().display_name(sort_by).desc(True)])
    for name, unit in units.items():
        panel = panel.override_by_name(name, [dashboard.DynamicConfigValue("unit", unit)])
    for name, steps in (heat or {}).items():
        panel = panel.override_by_name(
            name,
            [
                dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
                dashboard.DynamicConfigValue("thresholds", _thresholds(steps).build()),
            ],
        )
    for name in hidden:
        panel = panel.override_by_name(name, [dashboard.DynamicConfigValue("custom.hidden", True)])
    for name, link in (links or {}).items():
        panel = panel.override_by_name(
            name, [dashboard.DynamicConfigValue("links", [{"title": link.title, "url": link.url}])]
        )
    return _named(panel, title, description, query)


def transformation(
    kind: Literal["rowsToFields", "groupingToMatrix", "convertFieldType", "sortBy"], **options: Any
) -> dashboard.DataTransformerConfig:
    """A transformation of Grafana's."""
    return dashboard.DataTransformerConfig(id_val=kind, options=options)


def _named(panel: Panel, title: str, description: str, query: Query) -> Panel:
    return panel.title(title).description(description).datasource(query.source.ref).with_target(query)


def _colored(panel: Panel) -> Panel:
    panel = panel.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    for name, color in COLORS.items():
        fixed = dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel = panel.override_by_name(name, [fixed])
    return panel


def _colored_cell() -> Any:
    return common.TableColoredBackgroundCellOptions(mode=common.TableCellBackgroundDisplayMode.BASIC)


def _thresholds(steps: Sequence[Step]) -> ThresholdsConfig:
    first = dashboard.Threshold(value=None, color="text" if not steps else GREY)
    return (
        ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([first, *(dashboard.Threshold(value=value, color=color) for value, color in steps)])
    )


def _link(link: Link) -> DashboardLink:
    return DashboardLink(link.title).url(link.url)
