"""Each way to a Java, with made-up ones: a `java` is a script that answers as the real one does."""

import os
import shutil
from pathlib import Path

import cjdk
import pytest

from app.local import java
from app.local.java import Java, JavaMissing, find_java, get_java, probe

VECTOR = "jdk.incubator.vector"


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No JAVA_HOME, nothing but a shell on the PATH, no Java in any folder, no network, no packages."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(java, "_JVM_FOLDERS", (tmp_path / "jvm",))
    monkeypatch.setattr(java, "CACHE", tmp_path / "cache")

    def no_network(**_: object) -> Path:
        raise cjdk.InstallError("Download failed: no route")

    monkeypatch.setattr(cjdk, "java_home", no_network)
    return tmp_path


def _script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def _make_java(home: Path, version: str = "17", modules: str = f"java.base@17.0.1\n{VECTOR}@17.0.1") -> Path:
    _script(
        home / "bin" / "java",
        f"""case "$1" in
--list-modules) printf '{modules}\\n' ;;
*) printf 'Property settings:\\n    java.specification.version = {version}\\n' >&2 ;;
esac""",
    )
    return home


def test_java_home_comes_first(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_java(empty_machine / "jvm" / "java-17")
    home = _make_java(empty_machine / "mine", "21")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert find_java() == Java(home, 21)
    assert find_java().environment == {"JAVA_HOME": str(home)}


def test_a_java_on_the_path_is_found_through_its_link(empty_machine: Path) -> None:
    home = _make_java(empty_machine / "opt" / "jdk")
    (empty_machine / "programs" / "java").symlink_to(home / "bin" / "java")
    assert find_java() == Java(home, 17)


def test_an_old_a_slim_and_a_broken_java_are_passed_over(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(empty_machine / "removed"))
    _make_java(empty_machine / "jvm" / "a-old", "1.8")
    _make_java(empty_machine / "jvm" / "b-slim", "25", "java.base@25")
    _script(empty_machine / "jvm" / "c-broken" / "bin" / "java", "exit 1")
    with pytest.raises(JavaMissing) as caught:
        find_java()
    for words in ("removed is no working Java", "a-old is Java 8", f"b-slim lacks {VECTOR}", "c-broken is no working"):
        assert words in str(caught.value)
    fit = _make_java(empty_machine / "jvm" / "d-fit", "21")
    assert find_java().home == fit


def test_less_may_be_asked_for(empty_machine: Path) -> None:
    home = _make_java(empty_machine / "jvm" / "slim", "11", "java.base@11")
    assert find_java(minimum=11, modules=()) == Java(home, 11)


def test_a_java_downloaded_before_is_taken_again(empty_machine: Path) -> None:
    home = _make_java(empty_machine / "cache" / "v0" / "jdks" / "abc" / "jdk-17.0.9+9")
    assert get_java() == Java(home, 17)


def test_a_java_is_downloaded_where_there_is_none(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def download(**wanted: object) -> Path:
        asked.update(wanted)
        return _make_java(Path(str(wanted["cache_dir"])) / "jdk-17")

    monkeypatch.setattr(cjdk, "java_home", download)
    assert get_java() == Java(empty_machine / "cache" / "jdk-17", 17)
    assert asked["version"] == "17"


def _make_apt(empty_machine: Path, install: str) -> Path:
    calls = empty_machine / "calls"
    _script(
        empty_machine / "programs" / "apt-get",
        f'echo "$@" >> "{calls}"\ncase "$1" in update) exit 0 ;; esac\n{install}',
    )
    return calls


def test_the_systems_packages_are_the_last_way_and_the_next_version_is_tried(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    made = _make_java(empty_machine / "in-package", "21")
    (empty_machine / "jvm").mkdir()
    copy = f"{shutil.which('cp', path=os.defpath)} -r '{made}' '{empty_machine}/jvm/java-21'"
    calls = _make_apt(empty_machine, f'case "$4" in *17*) echo "E: no such package" >&2; exit 100 ;; esac\n{copy}')
    assert get_java(system_packages=True) == Java(empty_machine / "jvm" / "java-21", 21)
    assert calls.read_text().splitlines() == [
        "update",
        "install -y --no-install-recommends openjdk-17-jre-headless",
        "install -y --no-install-recommends openjdk-21-jre-headless",
    ]


def test_the_systems_packages_are_not_touched_unless_allowed(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _make_apt(empty_machine, "exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(JavaMissing):
        get_java()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(JavaMissing, match="to be root"):
        get_java(system_packages=True)
    assert not calls.exists()


def test_without_any_way_the_error_says_what_was_tried_and_what_to_do(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    _make_apt(empty_machine, 'echo "E: Unable to locate package $4" >&2; exit 100')
    with pytest.raises(JavaMissing) as caught:
        get_java(system_packages=True)
    for words in ("none found", "Download failed: no route", "Unable to locate package", "JAVA_HOME"):
        assert words in str(caught.value)


def test_a_real_java_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    program = shutil.which("java", path=os.pathsep.join((os.defpath, "/usr/lib/jvm/default-java/bin")))
    if not program:
        pytest.skip("unavoidable: no Java on this machine")
    found = probe(Path(program).resolve().parents[1])
    assert found
    assert found.version >= 8
