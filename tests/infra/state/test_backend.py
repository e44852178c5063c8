"""Where the state is kept: what somebody has chosen holds, and only the stack of one computer goes without a choice."""

import json
import stat
from pathlib import Path

import pytest

from infra.state.backend import NotChosen, backend_of, choose, folder_of, passphrase_file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, beside the home folder of a user who never saw Pulumi."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: shop-analytics\nruntime: python\n")
    return folder


def log_in(home: Path, backend: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "credentials.json").write_text(json.dumps({"current": backend}))


def test_the_stack_of_one_computer_is_kept_at_home_under_a_passphrase_of_its_own(project: Path) -> None:
    chosen = choose("local", project, {}, asks=False)
    home = project.parent / "home"
    assert folder_of(chosen["PULUMI_BACKEND_URL"]) == home / ".pulumi"
    file = Path(chosen["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert file.is_relative_to(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    passphrase = file.read_text()
    assert len(passphrase) > 40
    assert choose("local", project, {}, asks=False) == chosen
    assert file.read_text() == passphrase


@pytest.mark.parametrize("stack", ["dev", "prod", None])
def test_where_a_stack_of_the_cloud_is_kept_is_asked_for(project: Path, stack: str | None) -> None:
    with pytest.raises(NotChosen, match=r"scripts/pulumi login gs://BUCKET"):
        choose(stack, project, {}, asks=True)
    assert not (project.parent / "home").exists()


def test_the_passphrase_of_a_stack_of_the_cloud_is_asked_for_where_pulumi_cannot(project: Path) -> None:
    known = {"PULUMI_BACKEND_URL": "gs://a-bucket"}
    assert choose("dev", project, known, asks=True) == {}
    with pytest.raises(NotChosen, match="PULUMI_CONFIG_PASSPHRASE"):
        choose("dev", project, known, asks=False)
    (project / "Pulumi.dev.yaml").write_text("secretsprovider: gcpkms://projects/p\n")
    assert choose("dev", project, known, asks=False) == {}


@pytest.mark.parametrize(
    "environment",
    [
        {"PULUMI_BACKEND_URL": "file:///state", "PULUMI_CONFIG_PASSPHRASE": ""},
        {"PULUMI_BACKEND_URL": "file:///state", "PULUMI_CONFIG_PASSPHRASE_FILE": "/somewhere"},
        {"PULUMI_ACCESS_TOKEN": "token"},
    ],
)
def test_what_the_environment_says_holds(project: Path, environment: dict[str, str]) -> None:
    assert choose("local", project, environment, asks=False) == {}


def test_a_login_holds(project: Path) -> None:
    home = project.parent / "home" / ".pulumi"
    log_in(home, "file://~")
    assert set(choose("local", project, {}, asks=False)) == {"PULUMI_CONFIG_PASSPHRASE_FILE"}
    log_in(home, "https://api.pulumi.com")
    assert choose("local", project, {}, asks=False) == {}
    log_in(home, "")
    assert "PULUMI_BACKEND_URL" in choose("local", project, {}, asks=False)


def test_the_projects_own_backend_holds(project: Path) -> None:
    (project / "Pulumi.yaml").write_text("name: shop-analytics\nbackend:\n  url: gs://a-bucket\n")
    assert backend_of(project, {}) == "gs://a-bucket"


def test_a_stack_with_a_passphrase_of_the_users_gets_no_other(project: Path) -> None:
    (project / "Pulumi.local.yaml").write_text("encryptionsalt: v1:abc\n")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in choose("local", project, {}, asks=True)
    assert not passphrase_file({}).exists()


@pytest.mark.parametrize(
    ("backend", "folder"),
    [("file:///state?metadata=skip", Path("/state/.pulumi")), ("gs://a-bucket", None), (None, None)],
)
def test_a_state_in_files_has_a_folder(backend: str | None, folder: Path | None) -> None:
    assert folder_of(backend) == folder
