"""The workbook: sources, sheets and dashboards of the questions, in the order in which Tableau writes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.analytics import Question
from app.dashboards.tableau import colors, dashboard, datasource, parameters, worksheet
from app.dashboards.tableau.dashboard import Dashboard
from app.dashboards.tableau.datasource import Source
from app.dashboards.tableau.markup import Element, element, render
from app.dashboards.tableau.parameters import Parameter
from app.dashboards.tableau.sheet import Sheet
from app.dashboards.tableau.sheets import DASHBOARDS, sheets_of
from app.dashboards.tableau.warehouse import Warehouse

_BUILD: Final = "0.0.0 (0000.0.0.0)"
"""What Tableau asks of workbooks that it did not write."""


@dataclass(frozen=True)
class Workbook:
    """What a workbook consists of. `captions` says by question what its sheets are about."""

    choices: tuple[Parameter, ...]
    sources: tuple[Source, ...]
    sheets: tuple[Sheet, ...]
    dashboards: tuple[Dashboard, ...]
    captions: Mapping[str, str]

    def xml(self, warehouse: Warehouse, extracted: str | None = None) -> bytes:
        """Give the file (`.twb`): with extracts made at a time (empty if unknown), or None: with live sources."""
        by_question = {source.question: source for source in self.sources}
        bound = [datasource.xml(source, warehouse, extracted) for source in self.sources]
        children = [
            datasource.manifest(),
            element("preferences", children=[*_preferences(), *colors.palettes()]),
            element("datasources", children=[parameters.xml(self.choices, datasource.VERSION), *bound]),
            element("actions", children=list(self._actions(by_question))),
            element("worksheets", children=[self._worksheet(sheet, by_question) for sheet in self._sorted_sheets()]),
            element("dashboards", children=[dashboard.xml(item, by_question) for item in self.dashboards]),
            element("windows", {"source-height": "30"}, self._windows(by_question)),
            element("explain-data", _EXPLAIN_DATA, [element("explanation-types")]),
        ]
        return render(element("workbook", _ATTRIBUTES, [child for child in children if child.children]))

    def _sorted_sheets(self) -> list[Sheet]:
        return sorted(self.sheets, key=lambda sheet: sheet.name)

    def _worksheet(self, sheet: Sheet, sources: Mapping[str, Source]) -> Element:
        return worksheet.xml(sheet, sources[sheet.question], self.captions[sheet.question])

    def _actions(self, sources: Mapping[str, Source]) -> Iterator[Element]:
        """Filter a dashboard by the bar that is clicked on, where its heading is one of the choices."""
        number = 0
        for item in self.dashboards:
            for sheet in item.sheets:
                headings = [
                    pill.column
                    for pill in (*sheet.rows, *sheet.columns)
                    if pill.of(sources[sheet.question]).kind != "quantitative"
                ]
                if not any(headings == [column] for choice in self.choices for column in choice.columns):
                    continue
                number += 1
                yield element(
                    "action",
                    {"caption": f"Filter {item.name} by {sheet.name}", "name": f"[Action{number}]"},
                    [
                        element("activation", {"auto-clear": "true", "type": "on-select"}),
                        element("source", {"dashboard": item.name, "type": "sheet", "worksheet": sheet.name}),
                        element(
                            "command",
                            {"command": "tsc:tsl-filter"},
                            [
                                element("param", {"name": "exclude", "value": sheet.name}),
                                element("param", {"name": "special-fields", "value": "all"}),
                                element("param", {"name": "target", "value": item.name}),
                            ],
                        ),
                    ],
                )

    def _windows(self, sources: Mapping[str, Source]) -> list[Element]:
        dashboards = [dashboard.window(item, opened=index == 0) for index, item in enumerate(self.dashboards)]
        return dashboards + [worksheet.window(sheet, sources[sheet.question]) for sheet in self.sheets]


def workbook_of(questions: Sequence[Question], choices: Sequence[Parameter]) -> Workbook:
    """Make the workbook of these questions."""
    sources = tuple(datasource.source_of(question, choices) for question in questions)
    by_question = {source.question: source for source in sources}
    dashboards = (item.with_sheets_of(by_question) for item in DASHBOARDS)
    used = {choice.name for source in sources for choice, _ in source.filters}
    return Workbook(
        choices=tuple(choice for choice in choices if choice.name in used),
        sources=sources,
        sheets=sheets_of(sources),
        dashboards=tuple(item for item in dashboards if item.rows),
        captions={question.name: _caption(question) for question in questions},
    )


def _caption(question: Question) -> str:
    return f"{question.description} Asked by: {question.asked_by}."


def _preferences() -> Iterator[Element]:
    for name, pixels in (("ui.encoding.shelf.height", "24"), ("ui.shelf.height", "26")):
        yield element("preference", {"name": name, "value": pixels})


_EXPLAIN_DATA: Final = {"enabled-for-viewer": "false", "extreme-values-enabled-for-all": "false"}
_ATTRIBUTES: Final = {
    **datasource.NAMESPACES,
    "original-version": datasource.VERSION,
    "source-build": _BUILD,
    "source-platform": "win",
    "version": datasource.VERSION,
}
