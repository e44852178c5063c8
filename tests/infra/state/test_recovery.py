"""What a killed CLI leaves in a state is removed, and nothing that somebody still needs."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.state.recovery import clear_files, clear_pending, is_interrupted

URN = "urn:pulumi:local::shop-analytics::docker:index/container:Container::"
CONTAINER = "docker:index/container:Container"


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lock(folder: Path, process: int, host: str) -> Path:
    file = folder / "locks" / "organization" / "shop-analytics" / "local" / f"{host}-{process}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"pid": process, "username": "me", "hostname": host, "timestamp": "2026-12-01"}))
    return file


def test_only_the_lock_of_a_process_of_this_computer_that_is_over_goes(tmp_path: Path) -> None:
    here, ended = socket.gethostname(), ended_process()
    dead, alive = lock(tmp_path, ended, here), lock(tmp_path, os.getpid(), here)
    elsewhere = lock(tmp_path, ended, "another-computer")
    (said,) = clear_files(tmp_path)
    assert str(ended) in said
    assert [file.exists() for file in (dead, alive, elsewhere)] == [False, True, True]


@pytest.mark.parametrize("cut", ["", '{"user.content_ty'])
def test_a_file_that_was_cut_short_goes_and_the_state_stays(tmp_path: Path, cut: str) -> None:
    stacks = tmp_path / "stacks"
    stacks.mkdir()
    for name, text in (("a.json", "{}"), ("a.json.attrs", cut), ("b.json", "{}"), ("b.json.attrs", "{}")):
        (stacks / name).write_text(text)
    (said,) = clear_files(tmp_path)
    assert "a.json.attrs" in said
    assert {file.name for file in stacks.iterdir()} == {"a.json", "b.json", "b.json.attrs"}


class _Cli:
    """Keeps what is imported; `refuses` where another process holds the lock."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.imported: dict[str, Any] | None = None

    def __call__(self, *words: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        assert words[:2] == ("stack", "import")
        if not self.refuses:
            self.imported = json.loads(given or "")
        return subprocess.CompletedProcess(words, int(self.refuses), "", "")


def exported() -> dict[str, Any]:
    return {
        "deployment": {
            "resources": [
                {"urn": f"{URN}local-redis", "type": CONTAINER, "initErrors": ["container failed to be healthy"]},
                {"urn": f"{URN}local-mysql", "type": CONTAINER},
            ],
            "pending_operations": [
                {"type": "creating", "resource": {"urn": f"{URN}local-batch-job", "type": CONTAINER}},
                {"type": "creating", "resource": {"urn": "u::a-bucket", "type": "gcp:storage/bucket:Bucket"}},
                {"type": "deleting", "resource": {"urn": f"{URN}local-mysql", "type": CONTAINER}},
            ],
        }
    }


def test_what_was_begun_is_forgotten_and_what_did_not_come_up_is_made_again() -> None:
    cli = _Cli()
    assert is_interrupted(exported())
    said = "\n".join(clear_pending(cli, "local", exported(), leaving=False))
    assert cli.imported
    kept = cli.imported["deployment"]
    assert [one["type"] for one in kept["pending_operations"]] == ["deleting"], "a refresh settles these"
    assert [one.get("taint", False) for one in kept["resources"]] == [True, False]
    assert "local-batch-job was begun" in said
    assert "a-bucket has perhaps been made" in said


def test_nothing_is_said_or_written_where_another_process_works_on_the_stack() -> None:
    assert clear_pending(_Cli(refuses=True), "local", exported(), leaving=False) == []


def test_a_state_that_is_whole_is_left_alone() -> None:
    cli, whole = _Cli(), {"deployment": {"resources": [{"urn": f"{URN}local-mysql", "type": CONTAINER}]}}
    assert not is_interrupted(whole)
    assert clear_pending(cli, "local", whole, leaving=False) == []
    assert cli.imported is None
