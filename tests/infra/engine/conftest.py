"""The CLI and a bench to work on; where no CLI can be had, these tests cannot run."""

import pytest

from app.local.pulumi_cli import Pulumi, PulumiMissing, get_pulumi
from tests.infra.engine.workbench import Workbench, set_up


@pytest.fixture(scope="session")
def pulumi_cli() -> Pulumi:
    try:
        return get_pulumi()
    except PulumiMissing as missing:
        pytest.skip(f"unavoidable: {missing}")


@pytest.fixture(scope="module")
def workbench(pulumi_cli: Pulumi, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return set_up(tmp_path_factory.mktemp("engine"), pulumi_cli)
