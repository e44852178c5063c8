"""Two answers are the same only if every row is."""

import pyarrow as pa

from app.analytics.parity import differences


def table(numbers: list[float], words: list[str | None]) -> pa.Table:
    return pa.table({"number": numbers, "word": words})


def test_equal_answers_do_not_differ() -> None:
    assert differences(table([1.0, 2.0], ["a", None]), table([1.0, 2.0], ["a", None])) == []


def test_the_last_digits_of_a_mean_may_differ() -> None:
    assert differences(table([0.1 + 0.2], ["a"]), table([0.3], ["a"])) == []
    assert differences(table([0.3001], ["a"]), table([0.3], ["a"])) == ["number in row 1: 0.3001 and 0.3"]


def test_order_and_missing_values_count() -> None:
    assert differences(table([1.0, 1.0], ["a", "b"]), table([1.0, 1.0], ["b", "a"])) == ["word in row 1: a and b"]
    assert differences(table([1.0], [None]), table([1.0], ["a"])) == ["word in row 1: None and a"]


def test_a_missing_row_is_a_difference() -> None:
    assert differences(table([1.0], ["a"]), table([1.0, 2.0], ["a", "b"])) == ["1 rows and 2 rows"]
