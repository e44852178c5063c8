"""The report in a real browser without a network: everything is drawn, nothing is asked for."""

import re
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from app.dashboards.report import ReportInput, Stage, write_report
from app.dashboards.report.run_facts import RunFacts

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROBE = """<script>
new MutationObserver(() => {
  const root = document.documentElement;
  root.dataset.requests = performance.getEntriesByType("resource").length;
  root.dataset.wide = document.body.scrollWidth > innerWidth ? "yes" : "no";
}).observe(document.documentElement, {attributeFilter: ["data-drawn"]});
</script>"""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


@pytest.fixture
def report(report_answers: dict[str, pa.Table], tmp_path: Path) -> Path:
    run = RunFacts(stages=(Stage("stream", "Beam to BigQuery", 2.5, 1_000),))
    return write_report(ReportInput(report_answers, run=run), tmp_path / "report.html")


def _probe(report: Path, html: str) -> None:
    # The first end of a head is the page's own; the script that draws the charts has another one in a string.
    report.write_text(html.replace("</head>", PROBE + "</head>", 1))


def _load(page: Path, width: int) -> tuple[str, str]:
    """Return the document after all charts are drawn, and what the browser's console says."""
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={page.parent / 'profile'}",
        f"--window-size={width},900",
        "--virtual-time-budget=20000",
        "--enable-logging=stderr",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.parametrize("width", [500, 1400])
def test_every_chart_is_drawn_and_fits(report: Path, width: int) -> None:
    _probe(report, report.read_text())

    document, console = _load(report, width)

    places = re.findall(r'<div class="chart[^>]*id="(chart-\d+)"[^>]*>(<svg)?', document)
    assert len(places) > 25
    assert [place for place, drawn in places if not drawn] == []
    assert 'data-drawn="yes"' in document
    assert 'data-wide="no"' in document
    assert console == ""


def test_nothing_is_asked_of_the_network_even_where_the_page_would_allow_it(report: Path) -> None:
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    _probe(report, html)

    document, console = _load(report, 1400)

    assert 'data-requests="0"' in document
    assert console == ""


def test_the_page_forbids_what_a_name_could_smuggle_in(report: Path) -> None:
    report.write_text(report.read_text().replace("</header>", '<img src="https://example.org/x.png"></header>'))

    _, console = _load(report, 1400)

    assert "Content Security Policy" in console
