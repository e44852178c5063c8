"""Who waits for a first run learns at once that it failed, and why; and that its connection was lost, not."""

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.providers import FromSource, first_run
from infra.providers.first_run import Provider

ID = "c0ffee"


def wait(command: str, patience_seconds: float = 60, shell: tuple[str, ...] = ("sh", "-c")) -> str:
    """The id of what has ended well."""
    props: dict[str, Any] = {
        "shell": list(shell),
        "command": command,
        "container": "local-batch-job",
        "container_id": ID,
        "patience_seconds": patience_seconds,
    }
    made: str = Provider().create(props).id
    return made


def test_a_run_that_ends_well_is_waited_for() -> None:
    started = time.monotonic()
    assert wait("sleep 1") == ID
    assert time.monotonic() - started >= 1


def test_a_run_that_fails_is_told_at_once_with_the_end_of_its_log_and_nothing_else() -> None:
    with pytest.raises(RuntimeError) as raised:
        wait("echo what it did; seq 100 1>&2; exit 8")
    said = str(raised.value).splitlines()
    assert said[0] == "the first run in local-batch-job failed. The last lines of its log:"
    assert said[1:] == [str(number) for number in range(71, 101)]


def test_a_lost_connection_is_no_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_run, "_PAUSE_SECONDS", 0.1)
    tried = tmp_path / "tried"
    assert wait(f"test -e {tried} || {{ touch {tried}; exit 255; }}") == ID
    with pytest.raises(RuntimeError, match="no way there"):
        wait("echo no way there 1>&2; exit 255", patience_seconds=0.5)


def test_a_run_that_takes_too_long_is_given_up_with_what_it_did_last() -> None:
    with pytest.raises(RuntimeError, match=r"did not end in 0 minutes(?s:.*)read 7") as raised:
        wait("echo read 7; sleep 7531", patience_seconds=1)
    assert "failed" not in str(raised.value)
    assert not [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-1:] == ["7531"]]


def test_what_a_run_does_is_shown_while_it_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_run, "_SHOW_EACH_SECONDS", 0.3)
    wait("echo read 7; sleep 1.5")
    assert "local-batch-job: 0 s: read 7" in capsys.readouterr().err


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(RuntimeError, match="no-such-shell is missing on this computer"):
        wait("true", shell=("no-such-shell",))


def test_only_another_container_is_waited_for_again() -> None:
    provider = Provider()
    assert not provider.diff(ID, {"container_id": ID, "command": "a"}, {"container_id": ID, "command": "b"}).changes
    again = provider.diff(ID, {"container_id": ID}, {"container_id": "another"})
    assert (again.changes, again.replaces) == (True, ["container_id"])


def test_it_is_kept_as_its_text_which_works_alone() -> None:
    make, arguments = FromSource("first_run").__reduce__()
    assert make(*arguments).create.__name__ == "create"
