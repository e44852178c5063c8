import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tableauserverclient.server.endpoint import workbooks_endpoint

from app.dashboards.tableau.command import main
from app.dashboards.tableau.publish import PublishError, Target, WorkbookExistsError, publish
from tests.dashboards.tableau_server import SITE, TOKEN, TableauServer, tableau_server

MEGABYTE = 2**20


@pytest.fixture
def server() -> Iterator[TableauServer]:
    with tableau_server() as started:
        yield started


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Three and a half megabytes that do not get smaller."""
    path = tmp_path / "Shop.twbx"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("Shop.twb", "<workbook />")
        made.writestr("Data/Extracts/a.hyper", random.Random(7).randbytes(3 * MEGABYTE + MEGABYTE // 2))
    return path


@pytest.fixture
def in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send from one megabyte on in chunks of one, as the library does from 64 on in chunks of 50."""
    monkeypatch.setattr(workbooks_endpoint, "FILESIZE_LIMIT", MEGABYTE)
    monkeypatch.setenv("TSC_CHUNK_SIZE_MB", "1")


def target(server: TableauServer, project: str = "Shop", secret: str = TOKEN[1]) -> Target:
    return Target(server.address, SITE, TOKEN[0], secret, project)


def test_a_workbook_is_published_and_its_project_made(server: TableauServer, package: Path) -> None:
    done = publish(package, target(server))
    assert done.url == f"{server.address}/#/site/{SITE}/workbooks/Shop"
    assert done.project_created
    assert server.workbooks == {(server.projects["Shop"], "Shop"): package.read_bytes()}
    assert server.sessions == set()  # signed out


def test_a_project_that_is_there_is_used(server: TableauServer, package: Path) -> None:
    assert not publish(package, target(server, "default"), name="Daily").project_created
    assert set(server.workbooks) == {("p-0", "Daily")}


@pytest.mark.parametrize("name", ['Sales & "returns", <all>: [x]*', "\N{PARTY POPPER} caf\xe9"])
def test_names_of_project_and_workbook_may_have_any_character(name: str, server: TableauServer, package: Path) -> None:
    assert publish(package, target(server, name), name=name).project_created
    assert not publish(package, target(server, name), name=name, overwrite=True).project_created
    assert set(server.workbooks) == {(server.projects[name], name)}


def test_a_workbook_that_is_there_is_kept_unless_it_is_to_be_overwritten(server: TableauServer, package: Path) -> None:
    publish(package, target(server))
    package.write_bytes(package.read_bytes() + b"\0")
    with pytest.raises(WorkbookExistsError, match=r"'Shop' has a workbook 'Shop' already.*--overwrite"):
        publish(package, target(server))
    publish(package, target(server), overwrite=True)
    assert server.workbooks[(server.projects["Shop"], "Shop")] == package.read_bytes()


@pytest.mark.usefixtures("in_chunks")
def test_a_big_workbook_goes_in_chunks(server: TableauServer, package: Path) -> None:
    told: list[int] = []
    publish(package, target(server), progress=told.append)
    assert server.chunks == 4
    assert list(server.workbooks.values()) == [package.read_bytes()]
    assert sum(told) == package.stat().st_size


@pytest.mark.usefixtures("in_chunks")
def test_a_connection_lost_between_chunks_is_taken_up_again(server: TableauServer, package: Path) -> None:
    server.drop_chunk = 2
    told: list[int] = []
    publish(package, target(server), progress=told.append, pause=0.01)
    assert list(server.workbooks.values()) == [package.read_bytes()]
    assert (server.count("upload"), server.chunks) == (2, 6)
    assert sum(told) == package.stat().st_size


@pytest.mark.usefixtures("in_chunks")
def test_a_session_that_expires_between_chunks_is_taken_up_again(server: TableauServer, package: Path) -> None:
    server.expire_at_chunk = 3
    publish(package, target(server), pause=0.01)
    assert list(server.workbooks.values()) == [package.read_bytes()]
    assert server.count("sign in") == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_answer_that_is_lost_after_publishing_is_no_failure(
    overwrite: bool, server: TableauServer, package: Path
) -> None:
    server.drop_answer = True
    done = publish(package, target(server), overwrite=overwrite, pause=0.01)
    assert done.url.endswith("/workbooks/Shop")
    assert done.project_created
    assert list(server.workbooks.values()) == [package.read_bytes()]
    assert server.count("publish") == (2 if overwrite else 1)


@pytest.mark.usefixtures("in_chunks")
def test_a_server_that_stays_broken_is_given_up_with_what_to_do(server: TableauServer, package: Path) -> None:
    server.broken = True
    with pytest.raises(PublishError, match=r"the server failed \(500\), 4 times; try again later"):
        publish(package, target(server), pause=0.01)
    assert server.workbooks == {}


def test_a_server_that_is_not_there_is_said_so(package: Path) -> None:
    nowhere = Target("http://127.0.0.1:9", SITE, *TOKEN)
    with pytest.raises(PublishError, match=r"http://127.0.0.1:9: the connection was lost"):
        publish(package, nowhere, pause=0.01)


def test_a_wrong_token_is_not_tried_again_and_not_shown(server: TableauServer, package: Path) -> None:
    with pytest.raises(PublishError, match=r"refused the token 'pipeline'.*check TABLEAU_TOKEN_NAME") as raised:
        publish(package, target(server, secret="wr0ng"))
    assert server.log == []
    assert "wr0ng" not in f"{raised.value} {target(server, secret='wr0ng')!r}"


def test_who_may_not_publish_reads_what_is_missing(server: TableauServer, package: Path) -> None:
    server.may_publish = False
    with pytest.raises(PublishError, match=r"403004.*needs the right to publish into 'Shop'"):
        publish(package, target(server))


def test_a_file_that_is_not_there_says_how_to_build_it(server: TableauServer, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"scripts/tableau build"):
        publish(tmp_path / "Shop.twbx", target(server))


def test_the_target_is_read_from_the_environment() -> None:
    environment = {
        "TABLEAU_SERVER": "https://tableau.example.com/",
        "TABLEAU_SITE": "shop",
        "TABLEAU_TOKEN_NAME": "a",
        "TABLEAU_TOKEN_SECRET": "b",
    }
    assert Target.read(environment, "P") == Target("https://tableau.example.com", "shop", "a", "b", "P")
    assert Target.read(environment, "P", site="other").site == "other"
    with pytest.raises(PublishError, match=r"set TABLEAU_SERVER, TABLEAU_TOKEN_SECRET; for example"):
        Target.read({"TABLEAU_TOKEN_NAME": "a"}, "P")
    with pytest.raises(PublishError, match=r"'tableau.example.com'; it must be an address like https://"):
        Target.read({**environment, "TABLEAU_SERVER": "tableau.example.com"}, "P")


def test_the_command_publishes_and_says_the_address(
    server: TableauServer, package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"SERVER": server.address, "SITE": SITE, "TOKEN_NAME": TOKEN[0], "TOKEN_SECRET": TOKEN[1]}
    for name, value in values.items():
        monkeypatch.setenv(f"TABLEAU_{name}", value)
    assert main(["publish", str(package), "--project", "Shop"]) == 0
    assert capsys.readouterr().out == f"made the project 'Shop'; {server.address}/#/site/{SITE}/workbooks/Shop\n"
    assert main(["publish", str(package)]) == 1
    assert "publish with --overwrite" in capsys.readouterr().err
    assert main(["publish", str(package), "--overwrite", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"].endswith("/workbooks/Shop")
