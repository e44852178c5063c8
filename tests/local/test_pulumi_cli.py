"""Each way to Pulumi's CLI with made-up programs; the real one runs in the tests of the infrastructure."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from app.local import go as go_module
from app.local import pulumi_cli as module
from app.local.pulumi_cli import Pulumi, PulumiMissing, find_pulumi, get_pulumi, probe
from app.local.uv import UvMissing

COMPANIONS = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


def _script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def _cli(folder: Path, number: str = "v3.300.1") -> Path:
    for name in COMPANIONS:
        _script(folder / name, "")
    return _script(folder / "pulumi", f"echo {number}")


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No CLI, no Go, no network; `programs` is the PATH."""
    monkeypatch.delenv("PULUMI", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(module, "_INSTALLER", "raise SystemExit('no route to the installer')")
    return tmp_path


def test_the_variable_comes_before_the_path_the_home_folder_and_the_cache(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = _cli(empty_machine / "cache" / "pulumi" / f"installed-{version('pulumi')}" / "bin")
    assert find_pulumi() == Pulumi(installed, "3.300.1")
    at_home = _cli(empty_machine / "home" / ".pulumi" / "bin")
    assert find_pulumi() == Pulumi(at_home, "3.300.1")
    on_path = _cli(empty_machine / "programs")
    assert find_pulumi() == Pulumi(on_path, "3.300.1")
    named = _cli(empty_machine / "mine")
    monkeypatch.setenv("PULUMI", str(named))
    assert find_pulumi() == Pulumi(named, "3.300.1")


@pytest.mark.parametrize("number", ["v3.258.9", "v2.300.0", "no version"])
def test_one_that_is_too_old_or_another_program_is_passed_over(tmp_path: Path, number: str) -> None:
    assert probe(_cli(tmp_path, number)) is None


@pytest.mark.parametrize("lacking", COMPANIONS)
def test_one_without_its_language_host_is_passed_over(tmp_path: Path, lacking: str) -> None:
    program = _cli(tmp_path)
    (tmp_path / lacking).unlink()
    assert probe(program) is None


def test_the_language_host_is_looked_for_beside_the_file_that_a_link_means(tmp_path: Path) -> None:
    program = _cli(tmp_path / "real")
    link = tmp_path / "pulumi"
    link.symlink_to(program)
    assert probe(link) == Pulumi(link, "3.300.1")


def test_it_is_installed_and_kept(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = _cli(empty_machine / "release" / "bin").parent
    copying = f"import shutil, sys; shutil.copytree({str(release)!r}, sys.argv[1] + '/bin', dirs_exist_ok=True)"
    monkeypatch.setattr(module, "_INSTALLER", copying)
    kept = get_pulumi()
    assert kept.program == empty_machine / "cache" / "pulumi" / f"installed-{version('pulumi')}" / "bin" / "pulumi"
    assert find_pulumi() == kept
    assert os.listdir(empty_machine / "cache" / "pulumi") == [f"installed-{version('pulumi')}"]  # noqa: PTH208


def _made_up_go(machine: Path) -> None:
    """A Go that "builds" a CLI, and has the module of Pulumi's SDK with its scripts."""
    made = _cli(machine / "made", "v3.259.0")
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        _script(machine / "sdk" / "python" / script, "")
    copy = shutil.which("cp", path=os.defpath)
    _script(
        machine / "programs" / "go",
        f'if [ "$1" = list ]; then echo "{machine}/sdk"; exit; fi\n'
        f'echo "$PWD $@" > "{machine}/call"\n'
        f'for last; do [ "$previous" = -o ] && target="$last"; previous="$last"; done\n{copy} "{made}" "$target"',
    )


def test_it_is_built_from_the_modules_that_are_named_by_hash_where_it_cannot_be_installed(empty_machine: Path) -> None:
    _made_up_go(empty_machine)
    built = get_pulumi()
    assert built.version == "3.259.0"
    assert built.program.parent.parent.name.startswith("built-")
    call = (empty_machine / "call").read_text()
    assert "app/local/pulumi-cli build -mod=readonly" in call
    assert call.endswith("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi\n")
    assert {file.name for file in built.program.parent.iterdir()} == {"pulumi", *COMPANIONS}


def test_what_was_built_is_used_by_a_clone_that_was_moved(empty_machine: Path) -> None:
    _made_up_go(empty_machine)
    host = get_pulumi().program.with_name("pulumi-language-python")
    host.write_text("of another place")
    assert find_pulumi()
    assert str(Path(module.__file__).with_name("pulumi_language.py")) in host.read_text()
    assert os.access(host, os.X_OK)


def test_without_any_way_the_error_says_what_was_tried_and_what_to_do(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_uv() -> str:
        raise UvMissing("The program uv is missing.")

    monkeypatch.setattr(go_module, "find_uv", no_uv)
    with pytest.raises(PulumiMissing) as caught:
        get_pulumi()
    for words in ("3.259.0", "no route to the installer", "uv is missing", "set PULUMI"):
        assert words in str(caught.value)
    assert list((empty_machine / "cache" / "pulumi").iterdir()) == []


def test_a_build_that_fails_is_an_error_with_its_last_words(empty_machine: Path) -> None:
    _script(empty_machine / "programs" / "go", "echo 'checksum mismatch' >&2; exit 1")
    with pytest.raises(PulumiMissing, match="The build with Go failed: checksum mismatch"):
        get_pulumi()


def test_two_that_ask_at_once_get_it_once(empty_machine: Path) -> None:
    _made_up_go(empty_machine)
    program = (
        "import sys; from pathlib import Path; from app.local import pulumi_cli as module\n"
        f"module.CACHE = Path({str(empty_machine / 'cache')!r})\n"
        "module._INSTALLER = 'raise SystemExit(1)'\n"
        "print(module.get_pulumi().program)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = {process.communicate(timeout=120)[0] for process in both}
    assert len(answers) == 1
    assert answers.pop().strip().endswith("/bin/pulumi")


def test_it_runs_with_itself_and_this_python_first_on_the_path(tmp_path: Path) -> None:
    environment = Pulumi(tmp_path / "pulumi", "3.300.1").environment({"PATH": "/usr/bin", "KEPT": "yes"})
    assert environment["PATH"].split(os.pathsep) == [str(tmp_path), str(Path(sys.executable).parent), "/usr/bin"]
    assert environment["KEPT"] == "yes"


# Where the CLI has to be built, this takes as long.
@pytest.mark.timeout(3_600)
@pytest.mark.integration
def test_the_script_gives_all_that_it_is_told_to_the_cli() -> None:
    try:
        pulumi = get_pulumi()
    except PulumiMissing as missing:
        pytest.skip(f"unavoidable: {missing}")
    script = Path(module.__file__).parents[2] / "scripts" / "pulumi"
    run = [sys.executable, str(script)]
    said = subprocess.run([*run, "version"], capture_output=True, text=True, timeout=300, check=True).stdout
    assert said.strip() == f"v{pulumi.version}"
    assert subprocess.run([*run, "no-such-command"], capture_output=True, timeout=300, check=False).returncode != 0
