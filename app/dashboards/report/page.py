"""Put the report together: one HTML file with its charts, style and scripts inside, which asks the network nothing."""

import functools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2
import pyarrow as pa
import vl_convert

from app.dashboards.report import trust
from app.dashboards.report.charts import SECTIONS
from app.dashboards.report.data_table import DataTable, data_table
from app.dashboards.report.figures import AnswerError, Drawing, Figure, Panel, Spec
from app.dashboards.report.findings import findings
from app.dashboards.report.headline import headline
from app.dashboards.report.results import ReportInput
from app.dashboards.report.wording import Wording, wording

FILE_NAME: Final = "report.html"

_TEMPLATES: Final = Path(__file__).parent / "template"
_VEGA_LITE: Final = "6.1"
_TABLE: Final = Drawing(draw=lambda _: Figure())
"""A question without a picture: its table alone."""

_log = logging.getLogger(__name__)


class ReportError(Exception):
    """The report cannot be made from these answers."""


@dataclass(frozen=True)
class _PanelPlace:
    panel: Panel
    id: str


@dataclass(frozen=True)
class _FigurePlace:
    """A figure where it stands in the page."""

    question: str
    words: Wording
    figure: Figure
    panels: tuple[_PanelPlace, ...]
    empty: str
    half: bool
    table: DataTable | None


@dataclass(frozen=True)
class _SectionPlace:
    anchor: str
    title: str
    figures: tuple[_FigurePlace, ...]


class _Charts:
    """The charts of the page by the id of their place."""

    def __init__(self) -> None:
        self.specs: dict[str, Spec] = {}

    def place(self, panels: Iterable[Panel]) -> tuple[_PanelPlace, ...]:
        return tuple(self._place(panel) for panel in panels)

    def _place(self, panel: Panel) -> _PanelPlace:
        id_ = f"chart-{len(self.specs) + 1}"
        both = {"wide": panel.wide, "narrow": panel.narrow, "narrowBelow": panel.narrow_below}
        self.specs[id_] = {"wide": panel.wide} if panel.narrow == panel.wide else both
        return _PanelPlace(panel, id_)


def write_report(report: ReportInput, out: Path) -> Path:
    """Write the report to the file `out` and return its path.

    Raises ReportError, naming the question, where an answer lacks a column that its picture needs.
    """
    charts = _Charts()
    try:
        sections = tuple(_sections(report, charts))
        top = headline(report.answers)
        found = findings(report.answers)
    except AnswerError as error:
        raise ReportError(f"cannot draw the report: {error}; answer the questions again with this version") from error
    bad_rows = trust.bad_rows_panel(report.run.bad_rows)
    stages = trust.stages_panel(report.run.stages)
    html = _template().render(
        headline=top,
        findings=found,
        titles={place.question: place.words.title for section in sections for place in section.figures},
        sections=sections,
        verdicts=trust.verdicts(report.ledgers, report.parity),
        ledgers=trust.ledger_pictures(report.ledgers),
        bad_rows=charts.place([bad_rows] if bad_rows else []),
        stages=charts.place([stages] if stages else []),
        parity=[(wording(question).title, equal) for question, equal in report.parity.items()],
        run=report.run,
        facts=trust.run_facts(report.run),
        charts=charts.specs,
        vega=_vega(),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html, encoding="utf-8")
    _log.info("report written", extra={"path": str(out), "bytes": len(html)})
    return out


def _sections(report: ReportInput, charts: _Charts) -> Iterator[_SectionPlace]:
    drawn: set[str] = set()
    for section in SECTIONS:
        places = [
            _figure(question, drawing, report.answers[question], charts)
            for question, drawing in section.drawings.items()
            if question in report.answers
        ]
        drawn |= set(section.drawings)
        if places:
            yield _SectionPlace(section.anchor, section.title, tuple(places))
    others = [question for question in report.answers if question not in drawn]
    if others:
        tables = tuple(_figure(question, _TABLE, report.answers[question], charts) for question in others)
        yield _SectionPlace("more", "More questions", tables)


def _figure(question: str, drawing: Drawing, answer: pa.Table, charts: _Charts) -> _FigurePlace:
    try:
        figure = drawing.draw(answer) if answer.num_rows else Figure()
    except AnswerError as error:
        raise AnswerError(f"the answer to {question} {error}") from error
    return _FigurePlace(
        question=question,
        words=wording(question),
        figure=figure,
        panels=charts.place(figure.panels),
        empty="" if answer.num_rows else drawing.empty,
        half=drawing.half,
        table=data_table(answer) if answer.num_rows else None,
    )


@functools.cache
def _vega() -> str:
    """Return the script that draws the charts: Vega, Vega-Lite and vega-embed in one."""
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_VEGA_LITE)
    # In a page, the end of a script is found before its strings are.
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    return environment.get_template("report.html.j2")
