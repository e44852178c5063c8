"""The fields of a data source: what Tableau calls the columns of a question, with their words, units and formats."""

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

from app.analytics import Column
from app.dashboards.tableau.markup import Element, element

DataType = Literal["integer", "real", "string", "date", "datetime", "boolean"]
Role = Literal["dimension", "measure"]
Kind = Literal["nominal", "ordinal", "quantitative"]
Derivation = Literal["None", "Sum", "Avg", "Day-Trunc"]
Run = tuple[str, dict[str, str | int]]
"""Text with attributes such as `bold` and `fontsize`."""

SHARE: Final = "0 to 1"
MONEY: Final = "store currency"
_LABEL_UNITS: Final = frozenset({None, "position", "hour of the day", "1 to 5", "weeks"})
"""Units of whole numbers that name something instead of counting it."""

_PREFIXES: Final[dict[Derivation, str]] = {
    "None": "none",
    "Sum": "sum",
    "Avg": "avg",
    "Day-Trunc": "tdy",
}
_SUFFIXES: Final[dict[Kind, str]] = {"nominal": "nk", "ordinal": "ok", "quantitative": "qk"}


@dataclass(frozen=True)
class Field:
    """A field: a column of the question's view, or, with a formula, one that Tableau calculates."""

    name: str
    caption: str
    datatype: DataType
    role: Role
    kind: Kind
    description: str
    default_format: str | None = None
    aggregation: Derivation = "Sum"
    """What a measure is summed up by where a sheet does not say."""
    formula: str | None = None

    @property
    def bracketed(self) -> str:
        """The name as a formula and a reference have it."""
        return f"[{self.name}]"

    def xml(self, *, described: bool = True) -> Element:
        """The column's definition; without its description as a sheet repeats it."""
        children = []
        if self.formula is not None:
            children.append(element("calculation", {"class": "tableau", "formula": self.formula}))
        if described:
            children.append(element("desc", children=[formatted_text(self.description)]))
        return element(
            "column",
            {
                "caption": self.caption,
                "datatype": self.datatype,
                "default-format": self.default_format,
                "name": self.bracketed,
                "role": self.role,
                "type": self.kind,
                "aggregation": self.aggregation if self.role == "measure" and self.aggregation != "Sum" else None,
            },
            children,
        )


@dataclass(frozen=True)
class Instance:
    """A field as a shelf uses it: summed up, truncated or as it is, discrete or continuous."""

    field: Field
    derivation: Derivation
    kind: Kind

    @property
    def name(self) -> str:
        """The name with which Tableau refers to it: `[sum:events:qk]`."""
        return f"[{_PREFIXES[self.derivation]}:{self.field.name}:{_SUFFIXES[self.kind]}]"

    def xml(self) -> Element:
        """The instance's definition."""
        return element(
            "column-instance",
            {
                "column": self.field.bracketed,
                "derivation": self.derivation,
                "name": self.name,
                "pivot": "key",
                "type": self.kind,
            },
        )


def field_of(column: Column) -> Field:
    """Describe a question's column. Raises TypeError for a type that no question has yet."""
    datatype = data_type(column.type)
    measure = datatype == "real" or (datatype == "integer" and column.unit not in _LABEL_UNITS)
    return Field(
        name=column.name,
        caption=_caption(column),
        datatype=datatype,
        role="measure" if measure else "dimension",
        kind="quantitative" if measure else "nominal" if datatype in ("string", "boolean") else "ordinal",
        description=column.description + (f" [{column.unit}]" if column.unit else ""),
        default_format=_format(column, datatype, measure=measure),
        aggregation="Avg" if pa.types.is_floating(column.type) else "Sum",
    )


def data_type(type_: pa.DataType) -> DataType:
    """Give Tableau's name of an Arrow type. Raises TypeError where it has none."""
    if pa.types.is_integer(type_):
        return "integer"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "real"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "string"
    if pa.types.is_date(type_):
        return "date"
    if pa.types.is_timestamp(type_):
        return "datetime"
    if pa.types.is_boolean(type_):
        return "boolean"
    raise TypeError(f"Tableau has no type for {type_}; say in app.dashboards.tableau.fields what it is to be")


def formatted_text(*runs: str | Run) -> Element:
    """Give text in runs, one after the other."""
    pairs = [run if isinstance(run, tuple) else (run, {}) for run in runs]
    return element("formatted-text", children=[element("run", attributes, text=text) for text, attributes in pairs])


def _caption(column: Column) -> str:
    words = column.name.replace("_", " ")
    heading = words[:1].upper() + words[1:]
    unit = {SHARE: "%"}.get(column.unit or "", column.unit)
    # Brackets would end a field's name in a formula, so that units stand in parentheses.
    return heading if unit is None or unit in ("position", words) else f"{heading} ({unit})"


def _format(column: Column, datatype: DataType, *, measure: bool) -> str | None:
    if datatype == "date":
        return "*yyyy-MM-dd"
    if not measure:
        return None
    if column.unit == SHARE:
        return "p0.0%"
    return "n#,##0;-#,##0" if datatype == "integer" else "n#,##0.00;-#,##0.00"
