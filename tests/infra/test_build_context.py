"""An image is built anew where what goes into it has changed, and only then."""

from pathlib import Path

import pytest

from infra.build_context import content_hash, seen
from tests.infra.declared import ROOT
from tests.infra.engine.stand_in.images import _sent

BATCH, STREAM = "app/batch/Dockerfile", "app/stream/Dockerfile"
_FILES = (
    *("pyproject.toml", "requirements.lock", "README.md", "app/__init__.py", "infra/image.py"),
    *("app/batch/job.py", "app/events/times.py", "app/stream/pull.py", "app/local/demo.py"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in _FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for dockerfile in (BATCH, STREAM):
        for name in (dockerfile, f"{dockerfile}.dockerignore"):
            (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def hashes(repository: Path) -> tuple[str, str]:
    return content_hash(repository, BATCH), content_hash(repository, STREAM)


@pytest.mark.parametrize(
    ("name", "of_batch", "of_stream"),
    [
        ("app/batch/job.py", True, False),
        ("app/stream/pull.py", False, True),
        ("app/events/times.py", True, True),
        ("app/batch/another.py", True, False),
        ("requirements.lock", True, True),
        ("app/batch/Dockerfile", True, False),
        ("app/stream/Dockerfile", False, True),
        ("app/local/demo.py", False, False),
        ("app/batch/__pycache__/job.pyc", False, False),
        ("infra/image.py", False, False),
        ("README.md", False, False),
    ],
)
def test_a_change_counts_for_the_images_that_it_goes_into(
    repository: Path, name: str, of_batch: bool, of_stream: bool
) -> None:
    before = hashes(repository)
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text("changed")
    after = hashes(repository)
    assert (after[0] != before[0], after[1] != before[1]) == (of_batch, of_stream)


def test_another_name_counts(repository: Path) -> None:
    before = hashes(repository)
    (repository / "app/batch/job.py").rename(repository / "app/batch/run.py")
    assert hashes(repository)[0] != before[0]


@pytest.mark.parametrize("dockerfile", [BATCH, STREAM])
def test_it_is_what_docker_is_sent(dockerfile: str) -> None:
    assert seen(ROOT, dockerfile) == sorted(_sent(ROOT, ROOT / dockerfile))
