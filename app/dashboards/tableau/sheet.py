"""What a sheet shows, before it becomes XML: its fields on rows, columns and marks.

A field is named by its column: `day("event_date")` continuous, `dimension("brand")` discrete, `measure("views")` summed
up as its field says.
"""

from dataclasses import dataclass
from typing import Literal

from app.dashboards.tableau.datasource import Source
from app.dashboards.tableau.fields import Derivation, Instance, Kind

Mark = Literal["Automatic", "Bar", "Line", "Square", "Circle", "Text"]


@dataclass(frozen=True)
class Pill:
    """A column on a shelf; what is None is as the column's field has it."""

    column: str
    derivation: Derivation | None = None
    kind: Kind | None = None

    def of(self, source: Source) -> Instance:
        """Give the instance of the source's field. Raises KeyError where the source has no such column."""
        field = source.field(self.column)
        derivation = self.derivation or (field.aggregation if field.role == "measure" else "None")
        return Instance(field, derivation, self.kind or field.kind)


@dataclass(frozen=True)
class Sort:
    """The order of a dimension: by a measure, or, without one, by its own values."""

    dimension: Pill
    by: Pill
    descending: bool = True


@dataclass(frozen=True)
class Sheet:
    """A worksheet. Dimensions on a shelf stand in one another, measures beside one another.

    A comma in the name would break the actions, which list sheets by comma. `note` says in the title how to read it.
    """

    name: str
    question: str
    mark: Mark
    rows: tuple[Pill, ...] = ()
    columns: tuple[Pill, ...] = ()
    color: Pill | None = None
    label: tuple[Pill, ...] = ()
    tooltip: tuple[Pill, ...] = ()
    sorts: tuple[Sort, ...] = ()
    values: tuple[Pill, ...] = ()
    """Measures side by side: a bar each (mark Bar) or a column of a table each (mark Text)."""
    line: Pill | None = None
    """A measure drawn as a line on the same axis as the measure of the rows."""
    note: str = ""
    long: bool = False
    """Whether it may have more rows than fit, so that it scrolls in place of getting smaller."""

    @property
    def zoom(self) -> str:
        """How Tableau fits it into its place."""
        return "fit-width" if self.long else "entire-view"

    @property
    def pills(self) -> tuple[Pill, ...]:
        """All columns that it uses, in a stable order, each once."""
        marks = (*((self.color,) if self.color else ()), *self.label, *self.tooltip, *self.values)
        lines = (self.line,) if self.line else ()
        sorts = tuple(pill for sort in self.sorts for pill in (sort.dimension, sort.by))
        return tuple(dict.fromkeys((*self.rows, *self.columns, *marks, *lines, *sorts)))


def dimension(column: str) -> Pill:
    """Put a column on a shelf as a heading for each value."""
    return Pill(column)


def measure(column: str) -> Pill:
    """Put a column on a shelf as a number, summed up or averaged as its field says."""
    return Pill(column)


def mean(column: str) -> Pill:
    """Take the mean of a column that is a heading elsewhere, to sort by."""
    return Pill(column, "Avg", "quantitative")


def day(column: str) -> Pill:
    """Put a date on a shelf as an axis of days."""
    return Pill(column, "Day-Trunc", "quantitative")


def text_table(name: str, source: Source) -> Sheet:
    """Show every column of a source as a table: the sheet of a question that has none of its own."""
    return Sheet(
        name,
        source.question,
        "Text",
        rows=tuple(Pill(field.name) for field in source.fields if field.role == "dimension"),
        values=tuple(Pill(field.name) for field in source.fields if field.role == "measure"),
        long=True,
    )
