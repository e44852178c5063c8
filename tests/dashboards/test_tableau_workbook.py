import re
import types
from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest
from lxml import etree

from app.analytics import QUESTIONS
from app.analytics.question import question
from app.dashboards.tableau.datasource import source_file
from app.dashboards.tableau.fields import field_of
from app.dashboards.tableau.parameters import parameters
from app.dashboards.tableau.warehouse import Warehouse, WarehouseError
from app.dashboards.tableau.workbook import Workbook, workbook_of
from tests.dashboards import tableau_schema

LAPTOP = (1366, 768)
MADE = "11/24/2026 10:00:00 AM"
ASKED_SHEETS = {
    "daily_activity",
    "most_viewed_sub_categories",
    "hourly_activity",
    "purchase_conversion_volume",
    "purchase_conversion_rate",
    "event_types",
    "views_by_category",
    "purchases_by_category",
    "top_brands",
    "session_funnel",
    "weekly_retention",
    "rfm_segments",
    "bought_together",
    "daily_revenue",
}
_REFERENCE = re.compile(r"\[((?:[^\]]|\]\])*)\]\.\[((?:[^\]]|\]\])*)\]")
Tree = Any


@pytest.fixture(scope="module")
def schema() -> Any:
    return tableau_schema.load()


@pytest.fixture(scope="module")
def workbook(report_answers: dict[str, pa.Table]) -> Workbook:
    return workbook_of(list(QUESTIONS.values()), parameters(report_answers))


@pytest.fixture(scope="module")
def packaged(workbook: Workbook) -> Tree:
    return etree.fromstring(workbook.xml(Warehouse(), MADE))


@pytest.fixture(scope="module")
def live(workbook: Workbook) -> Tree:
    return etree.fromstring(workbook.xml(Warehouse("my-project", "my_shop", "my-billing", "service-account")))


def sources(tree: Tree) -> dict[str, Tree]:
    return {source.get("name"): source for source in tree.findall("datasources/datasource")}


def described(columns: Any) -> dict[str, tuple[str, str, str]]:
    return {column.get("name"): (column.get("datatype"), column.get("role"), column.get("type")) for column in columns}


def test_workbooks_fit_tableaus_schema(packaged: Tree, live: Tree, schema: Any) -> None:
    for tree in (packaged, live):
        schema.assertValid(tree)


def test_each_source_alone_fits_tableaus_schema(workbook: Workbook, schema: Any) -> None:
    for source in workbook.sources:
        schema.assertValid(etree.fromstring(source_file(source, Warehouse())))


@pytest.mark.parametrize("kind", ["packaged", "live"])
def test_every_field_of_a_sheet_is_in_its_source_with_that_type(kind: str, request: pytest.FixtureRequest) -> None:
    tree = request.getfixturevalue(kind)
    known = {name: described(source.findall("column")) for name, source in sources(tree).items()}
    sheets = tree.findall("worksheets/worksheet")
    assert sheets
    for sheet in sheets:
        used: dict[str, set[str]] = {}
        for part in sheet.findall("table/view/datasource-dependencies"):
            source = part.get("datasource")
            columns = described(part.findall("column"))
            assert columns.items() <= known[source].items(), sheet.get("name")
            for instance in part.findall("column-instance"):
                assert instance.get("column") in columns
            used[source] = {instance.get("name")[1:-1] for instance in part.findall("column-instance")}
        view = sheet.find("table")
        texts = [view.findtext("rows") or "", view.findtext("cols") or ""]
        texts += [item.text for item in view.findall("view/slices/column")]
        texts += [value for item in view.iter() for name, value in item.items() if name in ("column", "using", "field")]
        found = [match for text in texts for match in _REFERENCE.findall(text)]
        assert found, sheet.get("name")
        for source, field in found:
            assert field in used[source] | {":Measure Names", "Multiple Values"}, (sheet.get("name"), field)


def test_sources_have_the_columns_of_their_questions_in_their_types(packaged: Tree) -> None:
    types_ = {"int64": "integer", "double": "real", "string": "string", "date32[day]": "date", "bool": "boolean"}
    by_question = {
        source.find(".//object").get("caption"): source for source in sources(packaged).values() if len(source) > 5
    }
    assert set(by_question) == set(QUESTIONS)
    for name, asked in QUESTIONS.items():
        columns = described(by_question[name].findall("column"))
        for column in asked.columns:
            kind = str(column.type)
            wanted = (
                "real" if kind.startswith("decimal") else "datetime" if kind.startswith("timestamp") else types_[kind]
            )
            assert columns[f"[{column.name}]"][0] == wanted
        records = by_question[name].findall("connection/metadata-records/metadata-record")
        assert [record.findtext("remote-name") for record in records] == asked.schema.names
        descriptions = {
            item.get("name"): "".join(item.itertext()).strip() for item in by_question[name].findall("column")
        }
        assert all(column.description in descriptions[f"[{column.name}]"] for column in asked.columns)


def test_formulas_name_fields_and_choices_that_are_there(packaged: Tree) -> None:
    everything = sources(packaged)
    choices = set(described(everything["Parameters"].findall("column")))
    formulas = 0
    for source in everything.values():
        own = set(described(source.findall("column")))
        for calculation in source.findall("column/calculation"):
            formula = calculation.get("formula")
            if source.get("name") == "Parameters":
                continue
            formulas += 1
            named = {f"[{name}]" for name in re.findall(r"\[Parameters\]\.\[(\w+)\]", formula)}
            assert named
            assert named <= choices
            assert {f"[{name}]" for name in re.findall(r"\[(\w+)\]", formula)} <= own | choices | {"[Parameters]"}
    assert formulas > 10


def test_every_question_has_a_sheet_and_the_asked_ones_are_drawn(workbook: Workbook) -> None:
    assert {sheet.question for sheet in workbook.sheets} == set(QUESTIONS)
    assert {sheet.question for sheet in workbook.sheets if sheet.mark != "Text"} >= ASKED_SHEETS
    assert len({sheet.name for sheet in workbook.sheets}) == len(workbook.sheets)


def test_no_sheet_is_empty(workbook: Workbook, packaged: Tree, report_answers: Mapping[str, pa.Table]) -> None:
    for sheet in workbook.sheets:
        assert len(report_answers[sheet.question]) > 0
        assert sheet.pills
    for element in packaged.findall("worksheets/worksheet"):
        assert element.findtext("table/rows") or element.findtext("table/cols")
        assert "".join(element.find("layout-options/title").itertext()).strip().startswith(element.get("name"))
        assert len("".join(element.find("layout-options/caption").itertext())) > 40


def test_hours_and_types_have_the_sum_as_label_and_the_mean_price_as_colour(packaged: Tree) -> None:
    (sheet,) = [item for item in packaged.findall("worksheets/worksheet") if "by hour" in item.get("name")]
    encodings = {item.tag: item.get("column") for item in sheet.findall("table/panes/pane/encodings/*")}
    assert encodings["text"].endswith("[sum:price_sum:qk]")
    assert encodings["color"].endswith("[avg:price_mean:qk]")


def test_dashboards_show_sheets_that_are_there_within_a_laptops_screen(packaged: Tree) -> None:
    names = {item.get("name") for item in packaged.findall("worksheets/worksheet")}
    dashboards = packaged.findall("dashboards/dashboard")
    assert [item.get("name") for item in dashboards] == ["Today", "Conversion", "Customers"]
    for dashboard in dashboards:
        size = dashboard.find("size")
        assert int(size.get("maxwidth")) <= LAPTOP[0]
        assert int(size.get("maxheight")) <= LAPTOP[1]
        zones = list(dashboard.iter("zone"))
        assert len({zone.get("id") for zone in zones}) == len(zones)
        shown = [zone.get("name") for zone in zones if zone.get("name") and not zone.get("type-v2")]
        assert len(shown) == len(set(shown)) >= 5
        assert set(shown) <= names
        for zone in zones:
            x, y, width, height = (int(zone.get(side)) for side in "xywh")
            assert 0 <= x <= x + width <= 100_000
            assert 0 <= y <= y + height <= 100_000
            parent = zone.getparent()
            if parent.tag == "zone":
                assert int(parent.get("x")) <= x
                assert x + width <= int(parent.get("x")) + int(parent.get("w"))
                assert int(parent.get("y")) <= y
                assert y + height <= int(parent.get("y")) + int(parent.get("h"))
        leaves = [zone for zone in zones if zone.find("zone") is None]
        assert sum(int(zone.get("w")) * int(zone.get("h")) for zone in leaves) == pytest.approx(1e10, rel=0.01)


def test_a_choice_acts_on_every_sheet_whose_question_has_the_column(workbook: Workbook, packaged: Tree) -> None:
    elements = {item.get("name"): item for item in packaged.findall("worksheets/worksheet")}
    for choice, columns in {
        "period": {"event_date", "cohort_week"},
        "event_type": {"event_type"},
        "department": {"department"},
    }.items():
        acted_on = [sheet for sheet in workbook.sheets if columns & set(QUESTIONS[sheet.question].schema.names)]
        assert len(acted_on) > 2
        for sheet in acted_on:
            filters = elements[sheet.name].findall("table/view/filter")
            assert any(f"[none:chosen_{choice}:nk]" in item.get("column") for item in filters), sheet.name
    for dashboard in packaged.findall("dashboards/dashboard"):
        controls = {zone.get("param") for zone in dashboard.iter("zone") if zone.get("type-v2") == "paramctrl"}
        on_sheets = {
            f"[Parameters].{column.get('name')}"
            for zone in dashboard.iter("zone")
            if zone.get("name") in elements
            for column in elements[zone.get("name")].findall(
                "table/view/datasource-dependencies[@datasource='Parameters']/column"
            )
        }
        assert controls == on_sheets
        assert controls


def test_a_click_on_a_bar_filters_the_other_sheets_of_its_dashboard(packaged: Tree) -> None:
    shown = {
        dashboard.get("name"): {zone.get("name") for zone in dashboard.iter("zone")}
        for dashboard in packaged.findall("dashboards/dashboard")
    }
    actions = packaged.findall("actions/action")
    assert {action.find("source").get("worksheet") for action in actions} >= {"Event types", "Views by category"}
    for action in actions:
        source = action.find("source")
        parameters_ = {item.get("name"): item.get("value") for item in action.findall("command/param")}
        assert parameters_["target"] == source.get("dashboard")
        assert source.get("worksheet") in shown[source.get("dashboard")]
        assert parameters_["exclude"] == source.get("worksheet")
    for name in (item.get("name") for item in packaged.findall("worksheets/worksheet")):
        assert "," not in name  # a list of excluded sheets is parted by commas


def test_departments_to_choose_from_are_those_of_the_answers(
    packaged: Tree, report_answers: Mapping[str, pa.Table]
) -> None:
    found = {
        name
        for answer in report_answers.values()
        if "department" in answer.column_names
        for name in answer["department"].to_pylist()
    }
    members = packaged.findall("datasources/datasource[@name='Parameters']/column[@name='[department]']/members/member")
    assert len(members) == len(found) + 1
    assert members[0].get("value") == '"(All)"'


def test_a_live_workbook_has_no_extract_and_names_project_dataset_and_who_pays(live: Tree, packaged: Tree) -> None:
    assert not live.findall(".//extract")
    assert len(packaged.findall("datasources/datasource/extract")) == len(QUESTIONS)
    connections = live.findall(".//named-connection/connection")
    assert len(connections) == len(QUESTIONS)
    for connection in connections:
        assert connection.get("class") == "bigquery"
        assert connection.get("CATALOG") == connection.get("project") == "my-project"
        assert connection.get("EXECCATALOG") == "my-billing"
        assert connection.get("schema") == "my_shop"
        assert connection.get("authentication") == "service-account"
    tables = {relation.get("table") for relation in live.iter("relation")}
    assert tables == {f"[my_shop].[{name}]" for name in QUESTIONS}


def test_no_credentials_and_no_absolute_path_are_in_a_workbook(workbook: Workbook) -> None:
    text = workbook.xml(Warehouse(), MADE).decode()
    assert set(re.findall(r"dbname='([^']*)'", text)) == {f"Data/Extracts/{name}.hyper" for name in QUESTIONS}
    assert not re.search(r"password|secret|token='|/home/|/tmp/", text)


def test_attributes_are_sorted_and_in_single_quotes_as_tableau_writes_them(workbook: Workbook) -> None:
    lines = workbook.xml(Warehouse(), MADE).decode().splitlines()
    assert lines[0] == "<?xml version='1.0' encoding='utf-8' ?>"
    for line in lines[2:]:
        names = re.findall(r" ([\w:-]+)='", line)
        assert names == sorted(names)
        assert '"' not in line


def test_ids_stay_when_a_question_is_added(workbook: Workbook) -> None:
    fewer = workbook_of([asked for name, asked in QUESTIONS.items() if name != "top_brands"], parameters({}))
    ids = re.compile(rb"(?:uuid|id)='(\{[^']+\}|\w+_[0-9A-F]{32})'|name='(federated\.\w{28})'")
    before, after = (set(ids.findall(one.xml(Warehouse()))) for one in (fewer, workbook))
    assert before < after


def test_a_new_question_appears_as_source_and_table(schema: Any) -> None:
    module = types.ModuleType("app.analytics.questions.price_levels")
    module.__doc__ = (
        "Price levels\n\nHow many products are there of each price?\n\nAsked by: purchasing.\n\n"
        "Columns:\n- event_type: what visitors did\n- events [events]: how often"
    )

    def answer(events: ir.Table) -> ir.Table:
        return events.group_by("event_type").agg(events=events.count()).order_by("event_type")

    module.answer = answer  # type: ignore[attr-defined]
    made = workbook_of([question(module)], parameters({}))
    tree = etree.fromstring(made.xml(Warehouse()))
    schema.assertValid(tree)
    assert [item.get("name") for item in tree.findall("worksheets/worksheet")] == ["Price levels"]
    assert tree.find("worksheets/worksheet//filter[@class='categorical']") is not None
    assert tree.find("dashboards") is None


def test_units_and_formats_come_from_the_question() -> None:
    fields = {column.name: field_of(column) for column in QUESTIONS["purchases_by_category"].columns}
    assert fields["revenue"].caption == "Revenue (store currency)"
    assert (fields["share"].caption, fields["share"].default_format) == ("Share (%)", "p0.0%")
    assert fields["share"].aggregation == "Avg"
    assert fields["purchases"].caption == "Purchases (events)"


def test_a_type_that_tableau_does_not_have_is_refused() -> None:
    from app.analytics import Column

    with pytest.raises(TypeError, match=r"no type for list"):
        field_of(Column("x", pa.list_(pa.int64()), "lists", None))


@pytest.mark.parametrize(
    "name", ["shop", "my-project.", ".shop", "my-project.my-shop", "My-Project.shop", "my-project.a.b"]
)
def test_a_dataset_that_is_none_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(WarehouseError, match=r"PROJECT\.DATASET, for example"):
        Warehouse.named(name)


def test_a_dataset_is_project_and_name() -> None:
    assert Warehouse.named("my-project.shop_1") == Warehouse("my-project", "shop_1")
