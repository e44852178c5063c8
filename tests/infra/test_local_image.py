"""An image is built anew where what goes into it has changed, and only then."""

from pathlib import Path

import pytest

from infra.local_image import content_hash
from tests.infra.declared import declare_stack


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "app" / "batch").mkdir(parents=True)
    (tmp_path / "app" / "batch" / "job.py").write_text("job")
    for name in ("pyproject.toml", "requirements.lock", "README.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_code_and_packages_count(repository: Path) -> None:
    hashes = {content_hash(repository)}
    for name in ("app/batch/job.py", "requirements.lock", "app/another.py"):
        (repository / name).write_text("changed")
        hashes.add(content_hash(repository))
    (repository / "app" / "batch" / "job.py").rename(repository / "app" / "batch" / "run.py")
    assert len(hashes | {content_hash(repository)}) == 5


def test_what_the_build_does_not_see_does_not_count(repository: Path) -> None:
    before = content_hash(repository)
    (repository / "README.md").write_text("changed")
    (repository / "app" / "__pycache__").mkdir()
    (repository / "app" / "__pycache__" / "job.pyc").write_text("compiled")
    assert content_hash(repository) == before


def test_the_ignore_file_lets_through_what_is_hashed() -> None:
    from infra.local_image import _CONTENT, _ROOT

    lines = (_ROOT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(_CONTENT)
    assert "*" in lines


def test_here_nothing_is_in_the_cloud() -> None:
    declared = declare_stack("local")
    assert not [one for one in declared.resources if one.type.startswith(("gcp:", "docker-build:"))]
    image = declared.one("docker:index/remoteImage:RemoteImage", "local-batch-job").inputs
    assert Path(image["build"]["dockerfile"]) == Path(image["build"]["context"]) / "app" / "batch" / "Dockerfile"
    assert Path(image["build"]["dockerfile"]).is_file()
    assert image["name"].endswith(image["triggers"]["content"][:12])
