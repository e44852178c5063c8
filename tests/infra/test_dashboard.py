"""The dashboard shows what there is, by queries that are queries."""

import json
from typing import Any

import promql_parser
import pytest

from infra.alert_rules import StreamNames
from infra.dashboard import Dashboard, DashboardArgs
from infra.place import Place
from tests.infra.declared import declare

PLACE = Place("dev", "demo-project", "europe-west1", "europe-west1-b")
STREAM = StreamNames("dev-events-pipeline", "dev-stream", "europe-west1")
MACHINES = {"publisher": "dev-publisher", "batch": "dev-batch"}


def shown(**changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"stream": STREAM, "has_batch": True, "machines": MACHINES} | changed
    args = DashboardArgs(PLACE, **given)
    declared = declare(lambda: Dashboard("dev-dashboard", args))
    found: dict[str, Any] = json.loads(declared.one("gcp:monitoring/dashboard:Dashboard").inputs["dashboardJson"])
    return found


def test_it_shows_the_pipelines_and_the_machines() -> None:
    titles = [tile["widget"]["title"] for tile in shown()["mosaicLayout"]["tiles"]]
    assert titles[0] == "How far behind the pipeline is"
    assert {
        "Messages that wait",
        "Rows a second",
        "Batch runs of a day by exit code",
        "Machines, processors in use",
    } <= set(titles)


def test_its_queries_are_promql_with_the_names_filled_in() -> None:
    text = json.dumps(shown())
    assert "${" not in text
    assert 'job_name=\\"dev-stream\\"' in text
    assert "dev-publisher|dev-batch" in text
    for tile in shown()["mosaicLayout"]["tiles"]:
        for data in tile["widget"]["xyChart"]["dataSets"]:
            assert promql_parser.parse(data["timeSeriesQuery"]["prometheusQuery"])


def test_tiles_do_not_overlap() -> None:
    places = {(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in shown()["mosaicLayout"]["tiles"]}
    assert len(places) == len(shown()["mosaicLayout"]["tiles"])


@pytest.mark.parametrize(
    ("changed", "count"),
    [({"stream": None}, 2), ({"has_batch": False}, 5), ({"machines": {}}, 5), ({"stream": None, "machines": {}}, 1)],
)
def test_what_is_not_there_is_not_shown(changed: dict[str, Any], count: int) -> None:
    assert len(shown(**changed)["mosaicLayout"]["tiles"]) == count
