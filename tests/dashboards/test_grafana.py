"""The dashboards keep the rules of Grafana's dashboard linter, and the files are what Grafana reads."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.dashboards.grafana import PUBLIC_DATA, Period, Stores, provisioning
from app.dashboards.grafana.__main__ import main
from tests.dashboards.grafana_asked import dashboards, panels, variables

ROOT = Path(__file__).parents[2]
ALL = [pytest.param(dashboard, id=uid) for uid, dashboard in dashboards().items()]
PANELS = [
    pytest.param(panel, id=f"{uid}: {panel['title']}")
    for uid, dashboard in dashboards().items()
    for panel in panels(dashboard)
]
UNITS = {"short", "percentunit", "s", "none", "rowsps", "string", "bytes", "dateTimeAsIso"}
PALETTE = {"#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8c8c8c", "text"}


@pytest.mark.parametrize("dashboard", ALL)
def test_a_dashboard_is_read_only_in_utc_and_linked_with_the_others(dashboard: dict[str, Any]) -> None:
    assert dashboard["title"]
    assert dashboard["description"]
    assert dashboard["editable"] is False
    assert dashboard["timezone"] == "utc"
    assert dashboard["tags"] == ["shop"]
    (link,) = dashboard["links"]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == ("dashboards", ["shop"], True, True)
    assert dashboard["time"] == {"from": "2019-10-01T00:00:00.000Z", "to": "2019-12-01T00:00:00.000Z"}
    assert not dashboard.get("refresh")


@pytest.mark.parametrize("dashboard", ALL)
def test_variables_choose_the_source_and_follow_the_time_range(dashboard: dict[str, Any]) -> None:
    sources = {f"${{{variable['name']}}}": variable["query"] for variable in variables(dashboard, "datasource")}
    used = {(panel["datasource"]["uid"], panel["datasource"]["type"]) for panel in panels(dashboard)}
    assert used == set(sources.items())
    for variable in variables(dashboard, "datasource"):
        assert variable["label"].lower() == variable["name"].replace("_datasource", " data source")
    for variable in variables(dashboard):
        assert variable["refresh"] == 2, "the linter's template-on-time-change-reload-rule"
        assert (variable["datasource"]["uid"], variable["datasource"]["type"]) in used
        assert variable["label"]
        assert variable["description"]


@pytest.mark.parametrize("dashboard", ALL)
def test_every_variable_is_used_and_every_used_one_is_there(dashboard: dict[str, Any]) -> None:
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    text = json.dumps([*panels(dashboard), *(variable["query"] for variable in variables(dashboard))])
    used = {name for pair in re.findall(r"\$(\w+)|\$\{(\w+)", text) for name in pair if name}
    assert {name for name in used if not name.startswith("__")} == names


@pytest.mark.parametrize("dashboard", ALL)
def test_panels_fill_the_grid_without_lying_on_each_other(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    bottom = max(y for _, y in taken) + 1
    assert len(taken) == 24 * bottom, "there is a hole in the grid"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    (target,) = panel["targets"]
    assert target["datasource"] == panel["datasource"]
    assert target["refId"] == "A"


@pytest.mark.parametrize("panel", PANELS)
def test_colours_are_those_that_all_can_tell_apart(panel: dict[str, Any]) -> None:
    assert set(re.findall(r"#[0-9a-f]{6}", json.dumps(panel))) <= PALETTE
    for color in re.findall(r'"color": "(\w+)"', json.dumps(panel)):
        assert color in PALETTE


def test_the_files_are_the_same_each_time_and_have_no_password() -> None:
    files = provisioning()
    assert files == provisioning()
    sources = yaml.safe_load(files["provisioning/datasources/shop.yaml"])["datasources"]
    for source in sources:
        assert re.fullmatch(r"\$__file\{/etc/shop/\w+\}", source["secureJsonData"]["password"])
        assert source["editable"] is False
    uids = {source["uid"]: source["type"] for source in sources}
    for dashboard in dashboards().values():
        for variable in variables(dashboard, "datasource"):
            assert uids[variable["current"]["value"]] == variable["query"]
    (provider,) = yaml.safe_load(files["provisioning/dashboards/shop.yaml"])["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
    assert provider["updateIntervalSeconds"] == 10, "it takes over what is written while it runs"


def test_another_period_and_other_addresses_are_taken() -> None:
    first = datetime(2020, 1, 1, tzinfo=UTC)
    files = provisioning(Stores(mysql="here:1", user="me"), Period(first, first + timedelta(days=1)))
    for dashboard in dashboards(Period(first, first + timedelta(days=1))).values():
        assert dashboard["time"] == {"from": "2020-01-01T00:00:00.000Z", "to": "2020-01-02T00:00:00.000Z"}
    source = yaml.safe_load(files["provisioning/datasources/shop.yaml"])["datasources"][0]
    assert (source["url"], source["user"]) == ("here:1", "me")


@pytest.mark.parametrize("last", [PUBLIC_DATA.first, datetime(2020, 1, 1)])  # noqa: DTZ001 - without a zone, as a mistake
def test_a_period_that_is_none_is_refused(last: datetime) -> None:
    with pytest.raises(ValueError, match="two times with a zone"):
        Period(PUBLIC_DATA.first, last)


def test_the_command_writes_what_grafana_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--from", "2020-01-01", "--to", "2020-02-01"]) == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(provisioning())
    overview = json.loads((tmp_path / "dashboards" / "shop-overview.json").read_text())
    assert overview["time"]["to"] == "2020-02-01T00:00:00.000Z"
    file = tmp_path / "file"
    file.touch()
    assert main(["--out", str(file)]) == 1
    assert "give another folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--from", "2030-01-01"])
    assert "the later one last" in capsys.readouterr().err


def test_no_package_of_a_store_is_needed_to_write_the_files() -> None:
    code = "import sys, app.dashboards.grafana; print(sorted({'cassandra', 'pymysql', 'redis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
