"""The scripts make their own environment, in a copy of the repository of which only what they need is there."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

from app.local.uv import find_uv

REPOSITORY = Path(__file__).parents[2]
# A package that is small and of which the project needs some version.
PACKAGE = "xxhash"
SCRIPT = f"""#!/usr/bin/env python3
import _environment
_environment.ensure()
import os, subprocess, sys
import {PACKAGE}
import app.events.schema_of_copy
print("prefix", sys.prefix)
print("arguments", sys.argv[1:])
child = "import sys; print('child', sys.prefix, 'app' in str(__import__('app.events').__path__))"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def _locked_package(name: str = PACKAGE) -> str:
    lock = REPOSITORY / "requirements.lock"
    block = re.search(rf"^{name}==[^\n]*\\\n(?:    --hash=\S+(?: \\)?\n)+", lock.read_text(), re.MULTILINE)
    assert block
    return block[0]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "a clone with spaces"
    (root / "scripts").mkdir(parents=True)
    (root / "app" / "events").mkdir(parents=True)
    (root / "app" / "events" / "schema_of_copy.py").touch()
    shutil.copy(REPOSITORY / "scripts" / "_environment.py", root / "scripts")
    (root / "pyproject.toml").write_text('[project]\nname = "copy"\nversion = "0"\n')
    (root / "requirements.lock").write_text(_locked_package())
    (root / "scripts" / "hello").write_text(SCRIPT)
    return root


def _environ(**changes: str) -> dict[str, str]:
    ours = {"PYTHONPATH", "VIRTUAL_ENV"}
    others = {name: value for name, value in os.environ.items() if name not in ours}
    with_uv = os.pathsep.join([str(Path(find_uv()).parent), others["PATH"]])
    return {**others, "PATH": with_uv, **changes}


def _start(clone: Path, *arguments: str, python: str = sys.executable, **changes: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [python, str(clone / "scripts" / "hello"), *arguments],
        cwd=clone.parent,
        env=_environ(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(clone: Path, *arguments: str, python: str = sys.executable, **changes: str) -> tuple[int, str, str]:
    process = _start(clone, *arguments, python=python, **changes)
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def _expected(clone: Path, *arguments: str) -> str:
    return f"prefix {clone}/.venv\narguments {list(arguments)}\nchild {clone}/.venv True\n"


@pytest.mark.integration
def test_the_first_run_makes_the_environment_and_the_second_one_just_runs(clone: Path) -> None:
    code, output, errors = _run(clone, "--events", "two words")
    assert (code, output) == (0, _expected(clone, "--events", "two words")), errors
    assert "Setting up the Python environment" in errors
    assert "The environment is ready." in errors
    assert _run(clone) == (0, _expected(clone), "")


@pytest.mark.integration
def test_a_changed_lock_is_installed_and_what_it_no_longer_names_is_removed(clone: Path) -> None:
    lock = clone / "requirements.lock"
    only = lock.read_text()
    lock.write_text(only + _locked_package("pytz"))
    assert _run(clone)[0] == 0
    (site,) = (clone / ".venv" / "lib").glob("python3*/site-packages")
    assert (site / "pytz").exists()
    lock.write_text(only)
    code, output, errors = _run(clone)
    assert (code, output) == (0, _expected(clone))
    assert "Installing the packages" in errors
    assert not (site / "pytz").exists()


@pytest.mark.integration
def test_two_first_runs_at_once_install_once_and_both_run(clone: Path) -> None:
    both = [_start(clone, "1"), _start(clone, "2")]
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [output for output, _ in answers] == [_expected(clone, "1"), _expected(clone, "2")]
    assert sum("Installing the packages" in errors for _, errors in answers) == 1


@pytest.mark.integration
def test_a_package_whose_hash_is_wrong_is_refused_and_the_next_run_starts_over(clone: Path) -> None:
    lock = clone / "requirements.lock"
    good = lock.read_text()
    lock.write_text(re.sub(r"sha256:\w+", "sha256:" + "0" * 64, good))
    code, output, errors = _run(clone, UV_NO_CACHE="1")
    assert (code, output) == (1, "")
    assert "The Python environment could not be made" in errors
    assert "Hash mismatch for `xxhash" in errors
    lock.write_text(good)
    assert _run(clone)[:2] == (0, _expected(clone))


@pytest.mark.integration
def test_a_half_made_environment_is_made_anew(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to("/no/such/python")
    assert _run(clone)[:2] == (0, _expected(clone))


@pytest.mark.integration
def test_a_home_that_cannot_be_written_is_no_obstacle(clone: Path) -> None:
    code, output, errors = _run(clone, HOME="/proc/no-home", XDG_CACHE_HOME="", XDG_DATA_HOME="")
    assert (code, output) == (0, _expected(clone)), errors
    assert (clone / ".cache" / "uv-cache").is_dir()


@pytest.mark.integration
def test_uv_is_installed_where_the_machine_has_none(clone: Path) -> None:
    path = os.pathsep.join(entry for entry in os.environ["PATH"].split(os.pathsep) if not (Path(entry) / "uv").exists())
    code, output, errors = _run(clone, PATH=path, HOME=str(clone.parent))
    assert (code, output) == (0, _expected(clone)), errors
    assert "Installing uv into" in errors
    assert (clone / ".cache" / "uv" / "bin" / "uv").exists()


@pytest.mark.integration
@pytest.mark.parametrize("old", ["python3.8", "python3.9", "python3.10"])
def test_an_old_python_finds_a_newer_one(clone: Path, old: str) -> None:
    program = shutil.which(old)
    if not program or subprocess.run([program, "--version"], capture_output=True).returncode:
        pytest.skip(f"unavoidable: no {old} on this machine")
    code, output, errors = _run(clone, python=program)
    assert (code, output) == (0, _expected(clone)), errors
    assert "does not fit, looking for >=3.11" in errors


@pytest.mark.integration
def test_a_clone_without_its_lock_is_an_error_that_says_so(clone: Path) -> None:
    (clone / "requirements.lock").unlink()
    code, output, errors = _run(clone)
    assert (code, output) == (1, "")
    assert f"{clone}/requirements.lock is missing. Is this a whole clone of the repository?" in errors


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("_environment", REPOSITORY / "scripts" / "_environment.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setattr(made, "CACHE", tmp_path / "cache")
    return made


def test_a_python_without_pip_and_venv_gets_a_message_with_every_way_that_was_tried(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    broken = tmp_path / "bare" / "bin" / "python3-broken"
    broken.write_text('#!/bin/sh\necho "No module named $2" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(module.EnvironmentFailed) as caught:
        module._get_uv()
    message = str(caught.value)
    for words in ("No module named venv", "No module named pip", "sh: ", "python3 -m pip install uv", "brew install"):
        assert words in message


def test_the_settings_of_pip_are_told_to_uv_unless_uv_has_its_own(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        monkeypatch.setattr(sys, "executable", shutil.which("python3", path=os.defpath))
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE", "UV_FIND_LINKS", "SSL_CERT_FILE")
    for name in names:
        # Set first, so that what the module sets is taken back at the end.
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    monkeypatch.setenv("PIP_CERT", "/etc/ssl/own.pem")
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").touch()
    module._prepare_uv()
    assert [os.environ[name] for name in names] == [""] * len(names)
    (tmp_path / "uv" / "uv.toml").unlink()
    module._prepare_uv()
    assert os.environ["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert os.environ["UV_FIND_LINKS"] == "/wheels,/more"
    assert os.environ["SSL_CERT_FILE"] == "/etc/ssl/own.pem"
    monkeypatch.setenv("PIP_INDEX_URL", "https://changed.example/simple")
    module._prepare_uv()
    assert os.environ["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
