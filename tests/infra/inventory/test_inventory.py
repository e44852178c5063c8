"""Every environment is what its file says, resource by resource."""

import json

import pytest

from tests.infra.inventory.record import ENVIRONMENTS, FOLDER, inventory


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_an_environment_declares_what_its_file_says(stack: str) -> None:
    recorded, declared = json.loads((FOLDER / f"{stack}.json").read_text()), json.loads(inventory(stack))
    assert declared == recorded, "if the change is meant: python -m tests.infra.inventory.record"
