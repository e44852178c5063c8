"""A data source for each question: its view in BigQuery, and, in a packaged workbook, an extract of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.analytics import Question
from app.dashboards.tableau import colors
from app.dashboards.tableau.fields import Field, Instance, field_of
from app.dashboards.tableau.identity import connection_name, object_id
from app.dashboards.tableau.markup import Element, element, render
from app.dashboards.tableau.parameters import Parameter
from app.dashboards.tableau.warehouse import Warehouse

VERSION: Final = "26.1"
"""The version of the file format: Tableau 2026.1, the first whose schema is published. Newer ones open it too."""

EXTRACT_FOLDER: Final = "Data/Extracts"
"""Where a packaged workbook has its extracts."""

NAMESPACES: Final = {"xmlns:user": "http://www.tableausoftware.com/xml/user"}

_REMOTE_TYPES: Final = {"integer": 20, "real": 5, "string": 129, "date": 133, "datetime": 135, "boolean": 11}
_AGGREGATIONS: Final = {"string": "Count", "date": "Year", "datetime": "Year", "boolean": "Count"}


@dataclass(frozen=True)
class Source:
    """A question as a data source: the columns of its view, and the fields by which choices filter it."""

    question: str
    caption: str
    fields: tuple[Field, ...]
    filters: tuple[tuple[Parameter, Field], ...]

    @property
    def name(self) -> str:
        """Tableau's internal name: `federated.0jv3...`."""
        return connection_name("federated", self.question)

    @property
    def object_id(self) -> str:
        """The id of the source's only table."""
        return object_id(self.question)

    def field(self, name: str) -> Field:
        """Give a field by its name. Raises KeyError."""
        return {field.name: field for field in (*self.fields, *(field for _, field in self.filters))}[name]

    def reference(self, instance: Instance) -> str:
        """How a sheet of a workbook refers to a field of this source."""
        return f"[{self.name}].{instance.name}"


def source_of(question: Question, choices: Sequence[Parameter]) -> Source:
    """Describe a question's data source."""
    columns = [column.name for column in question.columns]
    filters = ((choice, choice.filter_field(columns)) for choice in choices)
    return Source(
        question=question.name,
        caption=question.title,
        fields=tuple(field_of(column) for column in question.columns),
        filters=tuple((choice, field) for choice, field in filters if field is not None),
    )


def source_file(source: Source, warehouse: Warehouse) -> bytes:
    """Give a live source as a file of its own (`.tds`); without the choices, which only a workbook has."""
    attributes = {
        **NAMESPACES,
        "formatted-name": source.name,
        "inline": "true",
        "source-platform": "win",
        "version": VERSION,
    }
    plain = Source(source.question, source.caption, source.fields, ())
    return render(element("datasource", attributes, [manifest(), *_parts(plain, warehouse, None)]))


def xml(source: Source, warehouse: Warehouse, extracted: str | None) -> Element:
    """Give a source as a workbook has it: with an extract made at a time (empty if unknown), or None: live."""
    attributes = {"caption": source.caption, "inline": "true", "name": source.name, "version": VERSION}
    return element("datasource", attributes, _parts(source, warehouse, extracted))


def manifest() -> Element:
    """Say what a reader must know: all that Tableau of this version does."""
    return element("document-format-change-manifest", children=[element("ManifestByVersion")])


def _parts(source: Source, warehouse: Warehouse, extracted: str | None) -> Iterator[Element]:
    relation = warehouse.relation(source.question)
    yield element(
        "connection",
        {"class": "federated"},
        [
            element("named-connections", children=[warehouse.named_connection(source.question)]),
            relation,
            _metadata(source, f"[{source.question}]"),
        ],
    )
    yield element("aliases", {"enabled": "yes"})
    columns = [*source.fields, *(field for _, field in source.filters)]
    yield from (field.xml() for field in sorted(columns, key=lambda field: field.name))
    yield element(
        "column",
        {
            "caption": source.question,
            "datatype": "table",
            "name": f"[__tableau_internal_object_id__].[{source.object_id}]",
            "role": "measure",
            "type": "quantitative",
        },
    )
    colored = [Instance(field, "None", field.kind) for field in source.fields if field.name in colors.BY_COLUMN]
    yield from (instance.xml() for instance in colored)
    if extracted is not None:
        yield _extract(source, extracted)
    yield element("layout", {"dim-ordering": "ordinal", "measure-ordering": "ordinal", "show-structure": "true"})
    if colored:
        encodings = [colors.value_colors(item.name, colors.BY_COLUMN[item.field.name]) for item in colored]
        yield element("style", children=[element("style-rule", {"element": "mark"}, encodings)])
    yield _object_graph(source, relation, with_extract=extracted is not None)


def _metadata(source: Source, parent: str, family: str | None = None) -> Element:
    records = []
    for ordinal, field in enumerate(source.fields):
        parts = {
            "remote-name": field.name,
            "remote-type": str(_REMOTE_TYPES[field.datatype]),
            "local-name": field.bracketed,
            "parent-name": parent,
            "remote-alias": field.name,
            "ordinal": str(ordinal),
            "family": family,
            "local-type": field.datatype,
            "aggregation": _AGGREGATIONS.get(field.datatype, field.aggregation),
            "contains-null": "true",
        }
        children = [element(tag, text=text) for tag, text in parts.items() if text is not None]
        children.append(element("object-id", text=f"[{source.object_id}]"))
        records.append(element("metadata-record", {"class": "column"}, children))
    return element("metadata-records", children=records)


def _extract(source: Source, extracted: str) -> Element:
    connection = element(
        "connection",
        {
            "access_mode": "readonly",
            "author-locale": "en_US",
            "class": "hyper",
            "dbname": f"{EXTRACT_FOLDER}/{source.question}.hyper",
            "default-settings": "hyper",
            "schema": "Extract",
            "sslmode": "",
            "tablename": "Extract",
            "update-time": extracted or None,
            "username": "tableau_internal_user",
        },
        [_EXTRACT_TABLE, _metadata(source, "[Extract]", source.question)],
    )
    return element("extract", {"count": "-1", "enabled": "true", "object-id": "", "units": "records"}, [connection])


def _object_graph(source: Source, relation: Element, *, with_extract: bool) -> Element:
    properties = [element("properties", {"context": ""}, [relation])]
    if with_extract:
        properties.append(element("properties", {"context": "extract"}, [_EXTRACT_TABLE]))
    table = element("object", {"caption": source.question, "id": source.object_id}, properties)
    return element("object-graph", children=[element("objects", children=[table])])


_EXTRACT_TABLE: Final = element("relation", {"name": "Extract", "table": "[Extract].[Extract]", "type": "table"})
