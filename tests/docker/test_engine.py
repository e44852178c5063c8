"""An engine is found or started, and leaves nothing."""

import os
from pathlib import Path

import pytest

from tests.docker.engine import Engine, EngineMissing, docker_engine

pytestmark = pytest.mark.integration


def test_a_machine_without_docker_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineMissing, match="no docker command"), docker_engine():
        pass


def test_an_engine_of_the_tests_own_is_gone_with_its_folder_and_mounts(engine: Engine) -> None:
    if engine.host is None:
        pytest.skip("unavoidable: the machine's own engine is used")
    with docker_engine() as own:
        assert own.host
        assert own.host != engine.host
        folder = Path(own.host.removeprefix("unix://")).parent
        own.build(_context(folder), "shop-test/empty")
        with own.network(f"shop-tests-{os.getpid()}-own"):
            # There is no such program in it, which Docker finds out when all else is there.
            assert own.ask("run", "--network=host", "shop-test/empty", "none").code == 127
    assert not folder.exists()
    assert str(folder) not in Path("/proc/mounts").read_text()
    assert not any(str(folder) in _command(process) for process in Path("/proc").glob("[0-9]*"))


def _context(folder: Path) -> Path:
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nLABEL empty=yes\n")
    return context


def _command(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
