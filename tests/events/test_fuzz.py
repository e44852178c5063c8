"""A few calls of the fuzzer, always the same; `python -m tests.events.fuzz` makes others for hours."""

import pytest

from tests.events.fuzz import ROWS, call


@pytest.mark.parametrize("seed", [1, 2, 27, 30])  # the last two need what guards against a NUL
def test_a_call_of_many_rows_gives_each_as_the_rules_say(seed: int) -> None:
    assert call(seed) in ROWS
