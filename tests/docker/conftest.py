"""The engine and the project's images, which all tests with Docker share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.local.cassandra_program import CACHE as CASSANDRA
from app.local.cassandra_program import LOCK
from app.local.maven import get_jars
from tests.conftest import UNAVOIDABLE
from tests.docker.bases import BaseMissing, with_bases
from tests.docker.engine import PREFIX, Engine, EngineMissing, docker_engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        with docker_engine() as found:
            yield found
    except EngineMissing as missing:
        pytest.skip(f"{UNAVOIDABLE}{missing}")


@pytest.fixture(scope="session")
def batch_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _built(engine, "batch", tmp_path_factory.mktemp("batch"))


@pytest.fixture(scope="session")
def stream_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    return _built(engine, "stream", tmp_path_factory.mktemp("stream"))


@pytest.fixture(scope="session")
def stores_image(engine: Engine, batch_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The servers of the three batch stores, each of which a container runs by its name."""
    context = tmp_path_factory.mktemp("stores")
    shutil.copytree(get_jars(LOCK, CASSANDRA), context / "cassandra")
    shutil.copytree(ROOT / "app" / "local", context / "local", ignore=shutil.ignore_patterns("__pycache__"))
    here = Path(__file__).parent
    shutil.copy(here / "store_server.py", context)
    return engine.build(context, f"{PREFIX}stores", here / "stores.Dockerfile", JOB=batch_image)


def _built(engine: Engine, which: str, folder: Path) -> str:
    """An image as its Dockerfile says."""
    try:
        dockerfile = with_bases(engine, ROOT / "app" / which / "Dockerfile", folder)
    except BaseMissing as missing:
        pytest.skip(f"{UNAVOIDABLE}{missing}")
    return engine.build(ROOT, f"{PREFIX}{which}", dockerfile)
