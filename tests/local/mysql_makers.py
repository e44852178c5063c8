"""Tests on the servers of both makers."""

import platform

import pytest

from app.local.mysql_program import Maker, get_mysql_program
from app.local.process import ServerError


def maker_of(request: pytest.FixtureRequest) -> Maker:
    """The maker that a fixture is asked for; the test is passed over where its server cannot be had."""
    maker = Maker(request.param)
    try:
        get_mysql_program(maker)
    except ServerError as error:
        unavoidable = "" if platform.machine() == "x86_64" else "unavoidable: "  # there is no build for others
        pytest.skip(f"{unavoidable}{error}")
    return maker
