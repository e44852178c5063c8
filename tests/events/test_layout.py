"""Rows of every layout become rows of the canonical one, or are told to be bad."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.bad_events import Reason
from app.events.csv_codec import Block, decode, decode_blocks
from app.events.csv_row import BadRowError, split_row
from app.events.layout import CANONICAL, DELIMITERS, HeaderError, Layout, read_header
from app.events.schema import MAX_ROW_BYTES, RAW_COLUMNS

NAMES = ",".join(RAW_COLUMNS)
REORDERED = Layout(("user_id", "", *(name for name in RAW_COLUMNS if name != "user_id")))


@pytest.mark.parametrize(
    "line",
    [
        NAMES,
        NAMES.upper(),
        NAMES.replace(",", ", "),
        f" {NAMES} ",
        ",".join(f'"{name}"' for name in RAW_COLUMNS),
        ", ".join(f'"{name}"' for name in RAW_COLUMNS),
    ],
)
def test_a_header_of_the_usual_order_is_canonical_however_it_is_written(line: str) -> None:
    assert read_header(line.encode()) is CANONICAL


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_a_header_names_order_delimiter_and_what_is_ignored(delimiter: str) -> None:
    names = ["", *reversed(RAW_COLUMNS), "Device", f'"a{delimiter}b"']
    layout = read_header(delimiter.join(names).encode())
    assert layout == Layout(("", *reversed(RAW_COLUMNS), "", ""), delimiter)
    assert Layout.of_text(layout.text) == layout


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"2019-10-01 00:00:01 UTC,view,1,2,category_code,brand,9.90,3,user_session",
        b"event_time,view,1",
        b"\xff\xfe",
        NAMES.encode() + b"\r,x",
        NAMES.encode() + b"," * MAX_ROW_BYTES,
    ],
)
def test_a_row_is_no_header(line: bytes) -> None:
    assert read_header(line) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (NAMES.replace("price,", ""), r"no column price$"),
        (NAMES.replace("brand,price", "Marke,Preis"), r"no column brand, price$"),
        (NAMES + ",price", r"column price more than once"),
        (NAMES + "," * 2_000, r"too many"),
    ],
)
def test_a_header_that_lacks_a_column_is_an_error_that_names_it(line: str, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        read_header(line.encode())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"3,x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90", Reason.MISSING_COLUMNS),
        (b"2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,3,s", Reason.MISSING_COLUMNS),
        (b"3,x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s,", Reason.EXTRA_COLUMNS),
        (b'3,"x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s', Reason.INVALID_QUOTING),
        (b"3," + b"x" * MAX_ROW_BYTES + b",2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s", Reason.ROW_TOO_LONG),
        (b"3,x,2019-10-01 00:00:01 UTC,view,1,2,,app\xffle,9.90,s", Reason.INVALID_UTF8),
        (b"", Reason.MISSING_COLUMNS),
    ],
)
def test_a_row_that_does_not_fit_its_layout_is_bad_as_it_was_received(row: bytes, reason: Reason) -> None:
    good = b"3,x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s"
    decoded = decode_blocks([Block(b"\n".join([good, row, good]) + b"\n", "a", 5, layout=REORDERED)])
    assert decoded.events.column("source_row").to_pylist() == [5, 7]
    assert decoded.bad.to_pylist() == [{"reason": reason, "field": None, "raw": row, "source": "a", "source_row": 6}]


def test_blocks_of_different_layouts_are_decoded_together() -> None:
    plain = b"2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,3,s"
    other = b"3,x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s"
    decoded = decode_blocks([Block(plain, "a"), Block(other, "b", layout=REORDERED), Block(plain + b"\nbad", "c")])
    assert decoded.events.column("source").to_pylist() == ["a", "b", "c"]
    assert len(decoded.events.column("event_id").unique()) == 1
    assert decoded.text[:3] == [plain] * 3
    assert decoded.bad.column("raw").to_pylist() == [b"bad"]


def test_a_message_may_have_a_header_of_its_own() -> None:
    header = REORDERED.text.encode()
    assert len(decode(header + b"\n3,x,2019-10-01 00:00:01 UTC,view,1,2,,apple,9.90,s", source="m").events) == 1
    short = b"event_time,event_type,product_id,category_id\n"
    assert decode(short, source="m").bad.column("raw").to_pylist() == [short.strip()]


FIELDS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6)


@given(
    st.lists(FIELDS, min_size=len(RAW_COLUMNS), max_size=len(RAW_COLUMNS)),
    st.permutations([*RAW_COLUMNS, "", ""]),
    st.sampled_from(DELIMITERS),
)
def test_the_fields_of_a_row_are_the_same_in_canonical_order(
    fields: list[str], columns: list[str], delimiter: str
) -> None:
    values = dict(zip(RAW_COLUMNS, fields, strict=True))
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="").writerow(
        [values.get(name, 'i"g,n;') for name in columns]
    )
    row = Layout(tuple(columns), delimiter).canonical_row(written.getvalue().encode())
    assert split_row(row, len(RAW_COLUMNS)) == fields


@given(st.binary(max_size=60), st.sampled_from([REORDERED, Layout(REORDERED.columns, ";")]))
def test_any_bytes_are_a_row_of_nine_columns_or_bad(row: bytes, layout: Layout) -> None:
    row = row.replace(b"\n", b"")
    try:
        canonical = layout.canonical_row(row)
    except BadRowError:
        return
    try:
        assert len(split_row(canonical, len(RAW_COLUMNS))) == len(RAW_COLUMNS)
    except BadRowError as error:
        reason = error.reason
        assert reason in (Reason.INVALID_UTF8, Reason.LINE_BREAK_IN_ROW)
