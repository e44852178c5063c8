"""A sheet as Tableau writes it, with its window."""

from collections.abc import Iterable, Iterator
from typing import Final

from app.dashboards.tableau import colors, parameters
from app.dashboards.tableau.datasource import Source
from app.dashboards.tableau.fields import Instance, Run, formatted_text
from app.dashboards.tableau.identity import simple_id
from app.dashboards.tableau.markup import Element, element
from app.dashboards.tableau.sheet import Pill, Sheet

_MEASURE_NAMES: Final = "[:Measure Names]"
_MEASURE_VALUES: Final = "[Multiple Values]"
_WHOLE_STRIP: Final = 2147483647


def xml(sheet: Sheet, source: Source, caption: str) -> Element:
    """Give the worksheet. Raises KeyError where the sheet names a column that the source does not have."""
    title: list[Run] = [(sheet.name, {"bold": "true", "fontcolor": colors.INK, "fontsize": 12})]
    if sheet.note:
        title.append((f" \N{EN DASH} {sheet.note}", {"fontcolor": colors.INK, "fontsize": 9}))
    options = [
        element("title", children=[formatted_text(*title)]),
        element("caption", children=[formatted_text(caption)]),
        element("alt-text", children=[formatted_text(f"{sheet.name}. {caption}")]),
    ]
    rows, columns = _shelves(sheet, source)
    table = [
        element("view", children=_view(sheet, source)),
        element("style", children=_style(sheet, source)),
        element("panes", children=_panes(sheet, source)),
        element("rows", text=rows),
        element("cols", text=columns),
    ]
    return element(
        "worksheet",
        {"name": sheet.name},
        [
            element("layout-options", children=options),
            element("table", children=table),
            element("simple-id", {"uuid": simple_id("worksheet", sheet.name)}),
        ],
    )


def window(sheet: Sheet, source: Source) -> Element:
    """Give the window in which the sheet is edited."""
    top = [_strip(_WHOLE_STRIP, "columns"), _strip(_WHOLE_STRIP, "rows"), _strip(31, "title")]
    edges = [
        element("edge", {"name": "left"}, [_strip(160, "pages", "filters", "marks")]),
        element("edge", {"name": "top"}, top),
        element("edge", {"name": "bottom"}, [_strip(60, "caption")]),
    ]
    cards = [
        element("card", {"param": choice.reference, "type": "parameter", "mode": "compact"})
        for choice, _ in source.filters
    ]
    if sheet.color:
        cards.insert(
            0, element("card", {"pane-specification-id": "0", "param": legend(sheet, source), "type": "color"})
        )
    if cards:
        edges.append(element("edge", {"name": "right"}, [element("strip", {"size": 160}, cards)]))
    return element(
        "window",
        {"class": "worksheet", "name": sheet.name},
        [
            element("cards", children=edges),
            element("viewpoint", children=[element("zoom", {"type": sheet.zoom})]),
            element("simple-id", {"uuid": simple_id("window", sheet.name)}),
        ],
    )


def legend(sheet: Sheet, source: Source) -> str:
    """How a legend refers to what the sheet's colours mean."""
    if sheet.color is None:
        raise ValueError(f"sheet {sheet.name!r} has no colours, so no legend")
    return source.reference(sheet.color.of(source))


def _view(sheet: Sheet, source: Source) -> Iterator[Element]:
    own = element("datasource", {"caption": source.caption, "name": source.name})
    choices = [choice for choice, _ in source.filters]
    yield element(
        "datasources", children=[own, *([element("datasource", {"name": parameters.SOURCE})] if choices else [])]
    )
    if choices:
        yield element("datasource-dependencies", {"datasource": parameters.SOURCE}, (item.xml() for item in choices))
    filters = [Instance(field, "None", "nominal") for _, field in source.filters]
    instances = [*(pill.of(source) for pill in sheet.pills), *filters]
    columns = {instance.field.name: instance.field for instance in instances}
    for choice, _ in source.filters:
        column = next(field for field in source.fields if field.name in choice.columns)
        columns[column.name] = column
    yield element(
        "datasource-dependencies",
        {"datasource": source.name},
        [
            *(columns[name].xml(described=False) for name in sorted(columns)),
            *(instance.xml() for instance in sorted(instances, key=lambda instance: instance.name)),
        ],
    )
    measure_names = f"[{source.name}].{_MEASURE_NAMES}"
    if sheet.values:
        yield from _chosen_measures(sheet, source, measure_names)
    for instance in filters:
        chosen = {
            "function": "member",
            "level": instance.name,
            "member": "true",
            "user:ui-domain": "database",
            "user:ui-enumeration": "inclusive",
            "user:ui-marker": "enumerate",
        }
        yield element(
            "filter",
            {"class": "categorical", "column": source.reference(instance)},
            [element("groupfilter", chosen)],
        )
    for sort in sheet.sorts:
        yield element(
            "computed-sort",
            {
                "column": source.reference(sort.dimension.of(source)),
                "direction": "DESC" if sort.descending else "ASC",
                "using": source.reference(sort.by.of(source)),
            },
        )
    slices = [*([measure_names] if sheet.values else []), *(source.reference(instance) for instance in filters)]
    if slices:
        yield element("slices", children=[element("column", text=name) for name in slices])
    yield element("aggregation", {"value": "true"})


def _chosen_measures(sheet: Sheet, source: Source, measure_names: str) -> Iterator[Element]:
    """Show these measures and no others, in this order."""
    members = [parameters.string_value(source.reference(pill.of(source))) for pill in sheet.values]
    level = {"function": "member", "level": _MEASURE_NAMES}
    yield element(
        "filter",
        {"class": "categorical", "column": measure_names},
        [
            element(
                "groupfilter",
                {"function": "union", "user:op": "manual"},
                [element("groupfilter", {**level, "member": member}) for member in members],
            )
        ],
    )
    buckets = [element("bucket", text=member) for member in members]
    yield element(
        "manual-sort", {"column": measure_names, "direction": "ASC"}, [element("dictionary", children=buckets)]
    )


def _style(sheet: Sheet, source: Source) -> Iterator[Element]:
    if sheet.line:
        axis = {
            "attr": "space",
            "class": "0",
            "field": source.reference(sheet.line.of(source)),
            "field-type": "quantitative",
            "fold": "true",
            "scope": "rows",
            "synchronized": "true",
            "type": "space",
        }
        yield element("style-rule", {"element": "axis"}, [element("encoding", axis)])
    color = sheet.color.of(source) if sheet.color else None
    if color and color.kind == "quantitative":
        yield element("style-rule", {"element": "mark"}, [colors.ramp_colors(source.reference(color))])
    yield element("style-rule", {"element": "table"}, [_format("show-null-value-warning", "false")])


def _panes(sheet: Sheet, source: Source) -> Iterator[Element]:
    if sheet.line is None:
        yield _pane(sheet.mark, _encodings(sheet, source), labels=bool(sheet.label or sheet.values))
        return
    (bars,) = sheet.rows
    yield _pane("Automatic", [])
    yield _pane(sheet.mark, _encodings(sheet, source), number=1, axis=source.reference(bars.of(source)))
    yield _pane("Line", [], number=2, axis=source.reference(sheet.line.of(source)), color=colors.INK)


def _pane(
    mark: str,
    encodings: list[Element],
    *,
    labels: bool = False,
    number: int | None = None,
    axis: str | None = None,
    color: str = colors.MAIN,
) -> Element:
    formats = [_format("mark-labels-cull", "true"), _format("mark-labels-show", "true")] if labels else []
    if not any(encoding.tag == "color" for encoding in encodings):
        formats.append(_format("mark-color", color))
    return element(
        "pane",
        {"id": number, "selection-relaxation-option": "selection-relaxation-allow", "y-axis-name": axis},
        [
            element("view", children=[element("breakdown", {"value": "auto"})]),
            element("mark", {"class": mark}),
            *([element("encodings", children=encodings)] if encodings else []),
            *([element("style", children=[element("style-rule", {"element": "mark"}, formats)])] if formats else []),
        ],
    )


def _encodings(sheet: Sheet, source: Source) -> list[Element]:
    def encode(tag: str, pills: Iterable[Pill]) -> list[Element]:
        return [element(tag, {"column": source.reference(pill.of(source))}) for pill in pills]

    values = [element("text", {"column": f"[{source.name}].{_MEASURE_VALUES}"})] if sheet.values else []
    return [
        *encode("color", [sheet.color] if sheet.color else []),
        *encode("text", sheet.label),
        *values,
        *encode("tooltip", sheet.tooltip),
    ]


def _shelves(sheet: Sheet, source: Source) -> tuple[str, str]:
    rows, columns = ([pill.of(source) for pill in shelf] for shelf in (sheet.rows, sheet.columns))
    if sheet.line:
        rows.append(sheet.line.of(source))
    on_rows, on_columns = (_shelf(shelf, source) for shelf in (rows, columns))
    if sheet.values:
        names, values = (f"[{source.name}].{name}" for name in (_MEASURE_NAMES, _MEASURE_VALUES))
        return (on_rows, names) if sheet.mark == "Text" else (names, values)
    return on_rows, on_columns


def _shelf(instances: list[Instance], source: Source) -> str:
    """Join the fields of a shelf: `(a / (b / c))` one in the other, `(a + (b + c))` axes beside one another."""
    operator = "+" if all(instance.kind == "quantitative" for instance in instances) else "/"
    names = [source.reference(instance) for instance in instances]
    joined = names[-1] if names else ""
    for name in reversed(names[:-1]):
        joined = f"({name} {operator} {joined})"
    return joined


def _strip(size: int, *cards: str) -> Element:
    return element("strip", {"size": size}, [element("card", {"type": card}) for card in cards])


def _format(attribute: str, value: str) -> Element:
    return element("format", {"attr": attribute, "value": value})
