"""Whoever deploys is logged in to the machine under a name of their own, and a preview logs nobody in."""

import asyncio
import re
from pathlib import Path

import pulumi
import pytest

from infra.machine_login import SWITCH, log_in
from infra.place import Place

ROOT = Path(__file__).resolve().parents[2]
PLACE = Place("dev", "demo-project", "europe-west1", "europe-west1-b")


@pytest.fixture
def gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of gcloud, which a test writes; logins are wanted."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv(SWITCH)
    return tmp_path / "gcloud"


def write(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def name() -> str:
    return asyncio.run(log_in(PLACE, "dev-batch-host", "first"))


def test_who_deploys_now_is_asked_for_on_the_machine(gcloud: Path) -> None:
    write(gcloud, 'echo "$@" > "$0.called"; echo sa_1234')
    assert name() == "sa_1234"
    called = gcloud.with_name("gcloud.called").read_text()
    assert called == (
        "compute ssh dev-batch-host --project=demo-project --zone=europe-west1-b --tunnel-through-iap "
        "--ssh-key-expire-after=1d --quiet --command=id --user --name\n"
    )


def test_a_preview_logs_nobody_in(gcloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(gcloud, "exit 1")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert name() == "first"


def test_a_login_that_fails_says_which_roles_it_needs(gcloud: Path) -> None:
    write(gcloud, "echo no access >&2; exit 1")
    with pytest.raises(pulumi.RunError, match=r"compute\.osAdminLogin.*no access"):
        name()


def test_without_gcloud_it_says_so(gcloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(gcloud.parent))
    with pytest.raises(pulumi.RunError, match="gcloud is missing"):
        name()


def test_no_login_that_is_made_or_shown_leaves_a_key_for_ever() -> None:
    files = [*(ROOT / "infra").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    logins = [
        (file.name, file.read_text()[found.start() :][:400])
        for file in files
        for found in re.finditer(r'gcloud compute ssh|"compute", "ssh"', file.read_text())
        if not file.read_text()[found.start() :].startswith("gcloud compute ssh` ")
    ]
    assert len(logins) > 4
    assert [name for name, text in logins if "--ssh-key-expire-after=1d" not in text] == []
