"""Each way to Prism with made-up programs, and the real one where the machine has it."""

import shutil
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from app.local import go
from app.local import prism as module
from app.local.prism import PrismMissing, find_prism, get_prism, prism
from app.local.uv import UvMissing

HELP = 'echo "Usage: -job_port int" >&2'


def _script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No Prism, no Go, no network; `programs` is the PATH."""
    monkeypatch.delenv("PRISM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(module, "_DOWNLOADER", "raise SystemExit('no route to the release')")
    return tmp_path


def test_the_variable_comes_before_the_path_and_the_path_before_the_cache(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = _script(empty_machine / "cache" / "prism" / f"prism-{beam.__version__}", HELP)
    assert find_prism() == cached
    on_path = _script(empty_machine / "programs" / "prism", HELP)
    assert find_prism() == on_path
    named = _script(empty_machine / "mine", HELP)
    monkeypatch.setenv("PRISM", str(named))
    assert find_prism() == named


def test_another_program_of_the_same_name_and_one_of_another_version_are_passed_over(empty_machine: Path) -> None:
    _script(empty_machine / "programs" / "prism", "echo 'prism: a server for mock APIs'")
    _script(empty_machine / "cache" / "prism" / "prism-2.0.0", HELP)
    assert find_prism() is None


def test_it_is_downloaded_and_kept(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = _script(empty_machine / "release", HELP)
    monkeypatch.setattr(
        module,
        "_DOWNLOADER",
        f"import shutil, sys; print('noise'); print(shutil.copy({str(release)!r}, sys.argv[1] + '/downloaded'))",
    )
    kept = get_prism()
    assert kept == empty_machine / "cache" / "prism" / f"prism-{beam.__version__}"
    assert find_prism() == kept
    assert list(kept.parent.iterdir()) == [kept]


def test_it_is_built_with_go_in_the_version_of_beam_where_it_cannot_be_downloaded(empty_machine: Path) -> None:
    made = _script(empty_machine / "made", HELP)
    copy = shutil.which("cp")
    monkey_go = f'echo "$@" > "{empty_machine}/call"; {copy or "/bin/cp"} "{made}" "$GOBIN/prism"'
    _script(empty_machine / "programs" / "go", monkey_go)
    assert get_prism().name == f"prism-{beam.__version__}"
    call = (empty_machine / "call").read_text()
    assert call == f"install github.com/apache/beam/sdks/v2/go/cmd/prism@v{beam.__version__}\n"


def test_without_any_way_the_error_says_what_was_tried_and_what_to_do(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_uv() -> str:
        raise UvMissing("The program uv is missing.")

    monkeypatch.setattr(go, "find_uv", no_uv)
    with pytest.raises(PrismMissing) as caught:
        get_prism()
    for words in ("no route to the release", "uv is missing", "set PRISM", beam.__version__):
        assert words in str(caught.value)


def test_a_build_that_fails_is_an_error_with_its_last_words(empty_machine: Path) -> None:
    _script(empty_machine / "programs" / "go", "echo 'no such module' >&2; exit 1")
    with pytest.raises(PrismMissing, match="The build with Go failed: no such module"):
        get_prism()
    assert list((empty_machine / "cache" / "prism").iterdir()) == []


@pytest.mark.integration
def test_a_pipeline_runs_on_it_and_nothing_is_left(tmp_path: Path) -> None:
    program = find_prism()
    if not program:
        pytest.skip("unavoidable: Prism is not on this machine")
    out = tmp_path / "sums"
    with prism(program) as running:
        with beam.Pipeline(options=PipelineOptions(running.options)) as pipeline:
            make: Any = beam  # its transforms have no types
            (
                pipeline
                | make.Create([("cart", 2), ("view", 1), ("cart", 3)])
                | make.CombinePerKey(sum)
                | make.Map(str)
                | make.io.WriteToText(str(out))
            )
        assert running.server.is_running
    lines = [line for file in tmp_path.glob("sums*") for line in file.read_text().splitlines()]
    assert sorted(lines) == ["('cart', 5)", "('view', 1)"]
    assert not running.server.is_running
    assert not running.server.log.parent.exists()
