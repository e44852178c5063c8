"""The emulators that the tests of the pipeline share, and a shop in them for each test."""

from collections.abc import Iterator

import pytest

from app.local.emulators import Emulators, emulators
from tests.stream.shop import Shop, open_shop


@pytest.fixture(scope="package")
def cloud() -> Iterator[Emulators]:
    """All emulators, with the variables of the environment set for every client."""
    with emulators() as running:
        yield running


@pytest.fixture
def shop(cloud: Emulators) -> Shop:
    """A new, empty shop."""
    return open_shop(cloud)
