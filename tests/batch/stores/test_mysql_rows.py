"""Arrow columns as LOAD DATA's text, beside Python's own words for each value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from app.batch.stores.mysql.rows import as_text
from app.events.schema import TIME


def text_of(**columns: pa.Array) -> str:
    return bytes(as_text(pa.RecordBatch.from_pydict(columns))).decode()


def test_tabs_line_feeds_and_backslashes_are_escaped_and_missing_values_told_apart_from_words() -> None:
    words = pa.array(["a\tb", "a\nb", "a\\b", "\\N", "NULL", "", None, 'it\'s "x", 👍'])
    assert text_of(x=words).split("\n") == [
        "a\\tb",
        "a\\nb",
        "a\\\\b",
        "\\\\N",
        "NULL",
        "",
        "\\N",
        'it\'s "x", 👍',
        "",
    ]


def test_each_type_is_written_as_the_server_reads_it() -> None:
    moment = datetime(2019, 10, 1, 2, 3, 4, 5, tzinfo=UTC)
    line = text_of(
        number=pa.array([-(2**63)]),
        money=pa.array([Decimal("-12345678901234567890.05")], pa.decimal128(38, 2)),
        rate=pa.array([0.1]),
        day=pa.array([date(2019, 10, 1)]),
        time=pa.array([moment], TIME),
        yes=pa.array([True]),
        raw=pa.array([b"\x00\xff\n"]),
        name=pa.array(["x"]).dictionary_encode(),
    )
    assert line == (
        "-9223372036854775808\t-12345678901234567890.05\t0.1\t2019-10-01\t2019-10-01 02:03:04.000005\t1\t00ff0a\tx\n"
    )


def test_no_rows_are_no_text() -> None:
    assert text_of(x=pa.array([], pa.string())) == ""


def test_a_slice_of_a_batch_is_written_alone() -> None:
    batch = pa.RecordBatch.from_pydict({"x": ["a", "b", "c"], "y": [1, None, 3]}).slice(1, 1)
    assert bytes(as_text(batch)) == b"b\t\\N\n"


@given(st.lists(st.tuples(st.text() | st.none(), st.integers(-(2**63), 2**63 - 1) | st.none()), max_size=20))
def test_any_text_comes_back_from_its_escapes(rows: list[tuple[str | None, int | None]]) -> None:
    words, numbers = [row[0] for row in rows], [row[1] for row in rows]
    lines = text_of(x=pa.array(words, pa.string()), y=pa.array(numbers, pa.int64()))
    assert lines.count("\n") == len(rows)
    read = [tuple(map(unescaped, line.split("\t"))) for line in lines.split("\n")[:-1]]
    assert read == [(word, None if number is None else str(number)) for word, number in rows]


def unescaped(field: str) -> Any:
    """A field as LOAD DATA reads it."""
    if field == "\\N":
        return None
    found, characters = "", iter(field)
    for character in characters:
        if character == "\\":
            character = {"t": "\t", "n": "\n", "\\": "\\"}[next(characters)]
        found += character
    return found
