"""The workbook's filters: one choice that acts on every sheet whose data source has the field.

Each question is a data source of its own, and a quick filter of Tableau acts on one source. A parameter is known to all
of them: each source compares its field with it in a calculated field, and each sheet keeps the rows where that is true.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.dashboards.tableau.fields import DataType, Field
from app.dashboards.tableau.markup import Element, element, is_xml_text
from app.events.schema import EVENT_TYPES

SOURCE: Final = "Parameters"
"""The name of the data source that Tableau keeps parameters in."""

ALL: Final = "(All)"
_ALL_DAYS: Final = 0
_PERIODS: Final = {_ALL_DAYS: "All days", 1: "Last day", 7: "Last 7 days", 28: "Last 28 days", 90: "Last 90 days"}


@dataclass(frozen=True)
class Parameter:
    """A choice of one value. `values` maps a value, as Tableau writes it, to how it is shown; the first is chosen."""

    name: str
    caption: str
    datatype: DataType
    values: Mapping[str, str]
    columns: tuple[str, ...]
    """The columns that it filters by; a source has one of them at most."""
    rule: str
    """The filter's formula, with {parameter} and {column} in it."""

    @property
    def reference(self) -> str:
        """How a formula and a control name it."""
        return f"[{SOURCE}].[{self.name}]"

    def filter_field(self, columns: Iterable[str]) -> Field | None:
        """Give the field that is true for the rows to keep; None where the source has no column to filter by."""
        column = next((column for column in columns if column in self.columns), None)
        if column is None:
            return None
        return Field(
            name=f"chosen_{self.name}",
            caption=f"Chosen: {self.caption.lower()}",
            datatype="boolean",
            role="dimension",
            kind="nominal",
            description=f"whether the row fits what is chosen for {self.caption}",
            formula=self.rule.format(parameter=self.reference, column=f"[{column}]"),
        )

    def xml(self) -> Element:
        """The parameter's definition."""
        chosen = next(iter(self.values))
        aliased = {value: shown for value, shown in self.values.items() if self.datatype != "string"}
        children = [element("calculation", {"class": "tableau", "formula": chosen})]
        if aliased:
            aliases = [element("alias", {"key": value, "value": shown}) for value, shown in aliased.items()]
            children.append(element("aliases", children=aliases))
        members = [element("member", {"alias": aliased.get(value), "value": value}) for value in self.values]
        return element(
            "column",
            {
                "caption": self.caption,
                "datatype": self.datatype,
                "name": f"[{self.name}]",
                "param-domain-type": "list",
                "role": "measure",
                "type": "nominal" if self.datatype == "string" else "quantitative",
                "value": chosen,
                **({"alias": self.values[chosen]} if aliased else {}),
            },
            [*children, element("members", children=members)],
        )


def parameters(answers: Mapping[str, pa.Table]) -> tuple[Parameter, ...]:
    """Give the workbook's choices; the departments to choose from are those of the answers."""
    equal = f'{{parameter}} = "{ALL}" OR {{column}} = {{parameter}}'
    period = (
        f"{{parameter}} = {_ALL_DAYS} OR DATEDIFF('day', {{column}}, {{{{ FIXED : MAX({{column}}) }}}}) < {{parameter}}"
    )
    periods = {str(days): shown for days, shown in _PERIODS.items()}
    return (
        Parameter("period", "Period", "integer", periods, ("event_date", "cohort_week"), period),
        Parameter("event_type", "Event type", "string", _strings(EVENT_TYPES), ("event_type",), equal),
        Parameter("department", "Department", "string", _strings(_departments(answers)), ("department",), equal),
    )


def xml(given: Iterable[Parameter], version: str) -> Element:
    """The data source of the parameters, in a version of the file format."""
    attributes = {"hasconnection": "false", "inline": "true", "name": SOURCE, "version": version}
    return element(
        "datasource", attributes, [element("aliases", {"enabled": "yes"}), *(parameter.xml() for parameter in given)]
    )


def string_value(text: str) -> str:
    """Write a string as Tableau does where it stands for a value: in double quotes, those inside escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _strings(values: Iterable[str]) -> dict[str, str]:
    return {string_value(value): value for value in (ALL, *values)}


def _departments(answers: Mapping[str, pa.Table]) -> list[str]:
    found: set[str] = set()
    for answer in answers.values():
        if "department" in answer.column_names:
            found.update(name for name in answer["department"].unique().to_pylist() if name is not None)
    # A name that XML cannot hold is still shown by the sheets, it only cannot be chosen.
    return sorted(name for name in found if is_xml_text(name))
