"""actionlint is found, or built where it is not."""

import subprocess
from pathlib import Path

import pytest

from app.local import actionlint
from app.local.actionlint import VERSION, ActionlintMissing, get_actionlint


def program(folder: Path, version: str) -> Path:
    path = folder / "actionlint"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)
    return path


def test_one_of_the_path_is_taken_if_it_is_new_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = program(tmp_path, "v99.0.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert get_actionlint() == there


def test_where_it_cannot_be_built_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, "1.0.0")
    (tmp_path / "go").write_text("#!/bin/sh\necho no route to the proxy >&2\nexit 1\n")
    (tmp_path / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(actionlint, "CACHE", tmp_path / "cache")
    with pytest.raises(ActionlintMissing, match="no route to the proxy\nPut the program on the PATH"):
        get_actionlint()


@pytest.mark.integration
def test_it_is_of_the_version_that_is_wanted() -> None:
    try:
        found = get_actionlint()
    except ActionlintMissing as missing:
        pytest.skip(f"unavoidable: {missing}")
    shown = subprocess.run([str(found), "-version"], capture_output=True, text=True, check=True).stdout
    assert VERSION in shown
