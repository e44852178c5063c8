import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from app.analytics import QUESTIONS
from app.dashboards.report import BadRows, ReportError, ReportInput, RunFacts, SourceFile, Stage, write_report
from app.events.ledger import Ledger

HOSTILE = '</script><b title="x">Tom & Co\'s</b> \N{PARTY POPPER}'
LEDGER = Ledger(read=1_000, stored=990, duplicates=7, bad=3)


class Page(HTMLParser):
    """The page as a browser reads it: elements with their attributes, the text of figures, the scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.figures: dict[str, str] = {}
        self.scripts: list[str] = []
        self.text = ""
        self._figure = ""
        self._raw = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "figure":
            self._figure = attributes["id"] or ""
            self.figures[self._figure] = ""
        if tag in ("script", "style"):
            self._raw = tag
        if tag == "div" and self._figure and attributes.get("class") == "chart":
            self.figures[self._figure] += " [chart] "

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._figure = ""
        if tag == self._raw:
            self._raw = ""

    def handle_data(self, data: str) -> None:
        if self._raw == "script":
            self.scripts.append(data)
        elif not self._raw:
            self.text += data
            if self._figure:
                self.figures[self._figure] += data

    @property
    def charts(self) -> dict[str, Any]:
        charts: dict[str, Any] = json.loads(self.scripts[0])
        return charts


def _one(answers: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {"event_types": answers["event_types"]}


def _page(directory: Path, report: ReportInput) -> Page:
    return Page(write_report(report, directory / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(report_answers: dict[str, pa.Table], tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = RunFacts(
        command="scripts/demo --seed 7",
        files=(SourceFile("events.csv.gz", 12_000_000, 1_000),),
        stages=(Stage("stream", "Beam to BigQuery", 2.5, 1_000),),
        bad_rows=(BadRows("invalid_price", 2, "price"), BadRows("missing_columns", 1)),
        versions={"pyspark": "4.3.0"},
    )
    parity = dict.fromkeys(report_answers, True)
    report = ReportInput(report_answers, {"stream": LEDGER, "batch": LEDGER}, parity, run)
    return _page(tmp_path_factory.mktemp("report"), report)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_its_picture_and_its_words(page: Page, question: str) -> None:
    figure = page.figures[question]
    assert "[chart]" in figure
    assert QUESTIONS[question].title in figure
    assert "Show the data" in figure


def test_the_page_asks_the_network_for_nothing(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import", re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)[0])
    assert "http" not in page.scripts[0]
    policies = [element["content"] or "" for tag, element in page.elements if element.get("http-equiv")]
    assert policies
    assert policies[0].startswith("default-src 'none';")


def test_hostile_names_stay_text(page: Page) -> None:
    assert not [attributes for tag, attributes in page.elements if tag == "b" and "title" in attributes]
    assert HOSTILE in page.figures["top_brands"]
    assert "<!--clocks" in page.figures["most_viewed_sub_categories"]
    assert "<" not in page.scripts[0]
    assert HOSTILE in _strings(page.charts)


def test_the_page_is_small_enough_to_mail(page: Page) -> None:
    assert len(page.html.encode()) < 3_000_000


def test_names_the_period_and_the_key_figures(page: Page) -> None:
    assert "What visitors did in the shop, 9 to 20 October 2019" in page.text
    for label in ("events", "visitors", "sessions", "revenue", "conversion", "average order"):
        assert f"<dt>{label}</dt>" in page.html


def test_findings_lead_to_their_figures(page: Page) -> None:
    links = {element["href"] for tag, element in page.elements if tag == "a" and "title" in element}
    assert "#top_brands" in links
    assert links <= {f"#{question}" for question in page.figures}


def test_every_chart_says_what_it_shows_and_has_its_place(page: Page) -> None:
    places = {element["id"]: element for tag, element in page.elements if element.get("class") == "chart"}
    assert set(places) == set(page.charts)
    assert all(place["aria-label"] for place in places.values())
    assert all(chart["wide"]["description"] for chart in page.charts.values())


def test_the_ledger_is_shown_with_its_sum(page: Page) -> None:
    assert "1,000 = 990 + 7 + 3: every row is accounted for" in page.figures["ledger"]
    assert "All 1,000 rows read are accounted for in both pipelines." in page.text


def test_a_ledger_that_does_not_add_up_says_by_how_much(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    ledgers = {"stream": LEDGER, "batch": Ledger(read=1_000, stored=980, duplicates=7, bad=3)}
    page = _page(tmp_path, ReportInput(_one(report_answers), ledgers))
    assert "1,000 ≠ 980 + 7 + 3: 10 rows missing" in page.figures["ledger"]
    assert "The ledger does not add up in: Batch. See Trust." in page.text


def test_a_question_that_differs_is_named_at_the_top(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    page = _page(tmp_path, ReportInput(_one(report_answers), parity={"event_types": True, "top_brands": False}))
    assert "The pipelines differ in top brands. See Trust." in page.text
    assert re.search(r"Top brands\s*different", page.figures["parity"])


def test_a_single_pipeline_promises_no_parity(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    page = _page(tmp_path, ReportInput(_one(report_answers), {"stream": LEDGER}))
    assert "Only one pipeline ran, so its answers were not compared." in page.text
    assert "accounted for in the pipeline." in page.text


def test_empty_answers_say_so_and_draw_nothing(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    empty = {question: answer.slice(0, 0) for question, answer in report_answers.items()}
    page = _page(tmp_path, ReportInput(empty))
    assert page.charts == {}
    assert "No data for this question in this period." in page.figures["daily_activity"]
    assert "No session looks automated in this period." in page.figures["bot_sessions"]


def test_one_day_is_numbers_instead_of_charts_of_one_bar(report_answers: dict[str, pa.Table], tmp_path: Path) -> None:
    page = _page(tmp_path, ReportInput({q: report_answers[q].slice(0, 1) for q in ("daily_activity", "daily_revenue")}))
    assert "[chart]" not in page.figures["daily_revenue"]
    assert "All events are of one day, Wed 9 Oct 2019 (UTC)." in page.figures["daily_revenue"]
    assert "What visitors did in the shop on 9 October 2019" in page.text


def test_a_question_without_a_picture_appears_as_a_table_of_50_rows(tmp_path: Path) -> None:
    answer = pa.table({"shelf_code": [f"shelf {index}" for index in range(60)], "empty_rate": [0.256] * 60})
    page = _page(tmp_path, ReportInput({"shelf_space": answer}))
    figure = page.figures["shelf_space"]
    assert "Shelf space" in figure
    assert "shelf 49" in figure
    assert "shelf 50" not in figure
    assert "The first 50 of 60 rows." in figure
    assert "26\N{NO-BREAK SPACE}%" in figure


def test_an_answer_without_a_column_of_its_picture_is_named(
    report_answers: dict[str, pa.Table], tmp_path: Path
) -> None:
    answers = {"top_brands": report_answers["top_brands"].drop_columns(["revenue"])}
    with pytest.raises(ReportError, match="the answer to top_brands lacks the columns revenue"):
        write_report(ReportInput(answers), tmp_path / "report.html")


def _strings(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(_strings, children))
