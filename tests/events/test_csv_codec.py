"""The codec keeps every row: a good one as an event, a bad one with its reason."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.bad_events import Reason
from app.events.csv_codec import BOM, HEADER, Block, decode, decode_blocks
from app.events.csv_row import BadRowError, Row, read_row
from app.events.identity import canonical_row
from app.events.schema import EVENTS, MAX_ROW_BYTES, RAW_COLUMNS

GOOD = b"2019-10-01 00:00:01 UTC,view,1004237,2053013555631882655,electronics.smartphone,apple,1081.98,535871217,c6bd"
OTHER = b"2019-10-01 00:00:02 UTC,cart,17200506,2053013559792632471,furniture.living_room.sofa,,543.10,519107250,566a"


def with_field(name: str, text: str) -> bytes:
    fields = GOOD.decode().split(",")
    fields[RAW_COLUMNS.index(name)] = text
    return ",".join(fields).encode()


def reasons(data: bytes) -> list[tuple[str, str | None]]:
    bad = decode(data, source="test").bad
    return list(zip(bad.column("reason").to_pylist(), bad.column("field").to_pylist(), strict=True))


def test_a_row_becomes_a_typed_event_with_its_derived_columns() -> None:
    event = decode(GOOD, source="test").events.to_pylist()[0]
    assert event == {
        "event_id": event["event_id"],
        "event_time": datetime(2019, 10, 1, 0, 0, 1, tzinfo=UTC),
        "event_type": "view",
        "product_id": 1004237,
        "category_id": 2053013555631882655,
        "category_code": "electronics.smartphone",
        "department": "electronics",
        "sub_category": "smartphone",
        "product": None,
        "brand": "apple",
        "price": Decimal("1081.98"),
        "user_id": 535871217,
        "user_session": "c6bd",
        "zero_price": False,
        "missing_session": False,
        "source": "test",
        "source_row": 1,
    }
    assert len(event["event_id"]) == 16


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("header", [b"", HEADER, BOM + HEADER])
def test_line_ends_a_header_and_a_byte_order_mark_do_not_change_the_events(
    end: bytes, last: bool, header: bytes
) -> None:
    rows = [header] if header else []
    data = end.join([*rows, GOOD, OTHER]) + (end if last else b"")
    decoded = decode(data, source="test")
    assert decoded.rows == 2
    assert decoded.events.equals(decode(GOOD + b"\n" + OTHER, source="test").events)


def test_a_carriage_return_alone_is_a_row_without_columns() -> None:
    assert reasons(b"\r") == [(Reason.MISSING_COLUMNS, None)]


def test_line_ends_may_be_mixed() -> None:
    data = HEADER + b"\r\n" + GOOD + b"\n" + OTHER + b"\r\n" + GOOD
    assert decode(data, source="test").events.column("source_row").to_pylist() == [1, 2, 3]


def test_a_byte_order_mark_without_a_header_is_no_part_of_the_first_row() -> None:
    assert len(decode(BOM + GOOD, source="test").events) == 1


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        (b"", Reason.MISSING_COLUMNS, None),
        (GOOD.rpartition(b",")[0], Reason.MISSING_COLUMNS, None),
        (GOOD + b",more", Reason.EXTRA_COLUMNS, None),
        (with_field("event_time", "2019-13-01 00:00:00 UTC"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-02-29 00:00:00 UTC"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 24:00:00 UTC"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:60:00 UTC"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:00:60 UTC"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:00:00"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "yesterday at ten o'cloc"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", ""), Reason.INVALID_TIME, "event_time"),
        (with_field("event_type", "wish"), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("event_type", "View"), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("event_type", ""), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("product_id", "12.5"), Reason.INVALID_ID, "product_id"),
        (with_field("product_id", "0x1F"), Reason.INVALID_ID, "product_id"),
        (with_field("category_id", "9223372036854775808"), Reason.INVALID_ID, "category_id"),
        (with_field("category_id", "2.053013555631882655e18"), Reason.INVALID_ID, "category_id"),
        (with_field("user_id", ""), Reason.INVALID_ID, "user_id"),
        (with_field("price", "-1.00"), Reason.NEGATIVE_PRICE, "price"),
        (with_field("price", ""), Reason.INVALID_PRICE, "price"),
        (with_field("price", "nan"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "5.e0"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "1.234"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "12345678901.00"), Reason.INVALID_PRICE, "price"),
        (GOOD.replace(b"apple", b"\xff\xfe"), Reason.INVALID_UTF8, None),
        (GOOD.replace(b"apple", b"x" * MAX_ROW_BYTES), Reason.ROW_TOO_LONG, None),
        (GOOD.replace(b"apple", b'"apple'), Reason.INVALID_QUOTING, None),
        (GOOD.replace(b"apple", b'a"pp"le'), Reason.INVALID_QUOTING, None),
        (GOOD.replace(b"apple", b"app\rle"), Reason.LINE_BREAK_IN_ROW, None),
    ],
)
def test_a_bad_row_is_kept_with_its_reason_and_costs_no_good_one(row: bytes, reason: Reason, field: str | None) -> None:
    decoded = decode(b"\r\n".join([GOOD, row, OTHER, GOOD]) + b"\r\n", source="file.csv", first_row=7)
    assert decoded.events.column("source_row").to_pylist() == [7, 9, 10]
    assert decoded.bad.to_pylist() == [
        {"reason": reason, "field": field, "raw": row, "source": "file.csv", "source_row": 8}
    ]


def test_a_line_feed_inside_a_quoted_field_makes_bad_rows_of_its_two_lines_only() -> None:
    decoded = decode(GOOD + b"\n" + GOOD.replace(b"apple", b'"app\nle"') + b"\n" + OTHER, source="test")
    assert [len(decoded.events), len(decoded.bad), decoded.rows] == [2, 2, 4]


def test_quoted_fields_may_hold_commas_and_quotes() -> None:
    decoded = decode(GOOD.replace(b"apple", b'"Tom, ""Dick"" & Harry"'), source="test")
    assert decoded.events.column("brand").to_pylist() == ['Tom, "Dick" & Harry']


def test_missing_values_are_null_also_when_quoted() -> None:
    row = b'2019-10-01 00:00:01 UTC,view,1,2,"","",0.00,3,'
    event = decode(row, source="test").events.to_pylist()[0]
    assert [event[name] for name in ("category_code", "brand", "user_session", "department")] == [None] * 4
    assert (event["zero_price"], event["missing_session"]) == (True, True)


def test_the_text_nan_is_a_brand_and_not_a_missing_value() -> None:
    assert decode(with_field("brand", "nan"), source="test").events.column("brand").to_pylist() == ["nan"]


def test_category_levels_below_the_second_are_one_product() -> None:
    event = decode(with_field("category_code", "a.b.c.d"), source="test").events.to_pylist()[0]
    assert [event[name] for name in ("department", "sub_category", "product")] == ["a", "b", "c.d"]


@pytest.mark.parametrize(
    "row",
    [
        GOOD.replace(b"1081.98", b"1081.980"),
        GOOD.replace(b"1004237", b"01004237"),
        GOOD.replace(b"apple", b'"apple"'),
        GOOD.replace(b"00:00:01 UTC", b"00:00:01.000000 UTC"),
    ],
)
def test_the_same_content_written_otherwise_has_the_same_event_id(row: bytes) -> None:
    ids = decode(GOOD + b"\n" + row, source="test").events.column("event_id").to_pylist()
    assert ids[0] == ids[1]


def test_times_may_have_a_fraction_down_to_microseconds() -> None:
    times = decode(with_field("event_time", "2019-10-01 00:00:01.25 UTC"), source="test").events.column("event_time")
    assert times.to_pylist() == [datetime(2019, 10, 1, 0, 0, 1, 250_000, tzinfo=UTC)]


def test_blocks_of_several_sources_decoded_together_keep_their_places() -> None:
    headed = Block(HEADER + b"\nbad\n" + GOOD, "c", may_have_header=True)
    blocks = [Block(GOOD + b"\n" + OTHER, "a", 5), Block(b"", "b"), headed]
    decoded = decode_blocks(blocks)
    places = [tuple(decoded.events.column(name).to_pylist()) for name in ("source", "source_row")]
    assert places == [("a", "a", "c"), (5, 6, 2)]
    assert decoded.bad.column("source_row").to_pylist() == [1]
    assert [decoded.text[i] for i in decoded.event_index] == [GOOD, OTHER, GOOD]


def test_a_header_is_a_row_where_none_can_be() -> None:
    assert decode_blocks([Block(HEADER + b"\n" + GOOD, "a")]).bad.column("raw").to_pylist() == [HEADER]


@pytest.mark.parametrize("before", [b"", OTHER + b"\n"])
@pytest.mark.parametrize("row", [BOM, BOM + GOOD])
def test_a_byte_order_mark_is_of_a_row_where_no_file_begins_wherever_blocks_are_cut(before: bytes, row: bytes) -> None:
    decoded = decode_blocks([Block(before + row, "a", 7)])
    assert decoded.bad.column("raw").to_pylist() == [row]
    assert decoded.rows == before.count(b"\n") + 1


@pytest.mark.parametrize("data", [b"", HEADER, HEADER + b"\n", BOM])
def test_an_empty_file_or_only_a_header_holds_no_rows(data: bytes) -> None:
    decoded = decode(data, source="test")
    assert (decoded.rows, len(decoded.events), len(decoded.bad)) == (0, 0, 0)
    assert decoded.events.schema.names[: len(EVENTS)] == EVENTS.names


def test_bytes_that_are_no_csv_at_all_are_kept_row_by_row() -> None:
    data = bytes(range(256)) * 20
    decoded = decode(data, source="test")
    assert len(decoded.events) == 0
    assert decoded.rows == len(decoded.bad) == data.count(b"\n") + 1


def unusual(usual: str, *others: str) -> st.SearchStrategy[str]:
    return st.one_of(st.just(usual), st.sampled_from(others), st.text(max_size=6))


TIMES = ("2019-10-01 00:00:01.5 UTC", "2020-02-29 23:59:59 UTC", "2019-02-29 00:00:00 UTC")
IDS = ("0", "-5", "007", "9223372036854775807", "9223372036854775808", "+1", " 1", "0x10", "1e3")
PRICES = ("0", "0.00", "-0.00", "-1.00", "1.5", "01.00", "5.e0", "1.e2", "1e2.00", "nan", "inf", "9999999999.99")
ROWS = st.tuples(
    unusual("2019-10-01 00:00:01 UTC", *TIMES),
    unusual("view", "cart", "purchase", "remove_from_cart", "VIEW", ""),
    unusual("1004237", *IDS),
    unusual("2053013555631882655", "", "1.0"),
    unusual("electronics.smartphone", "", "a.b.c.d", "a..b", ".", '"a,b"'),
    unusual("apple", "", "nan", "NULL", '"x"', '"', 'a"b', "\ufeff"),
    unusual("1081.98", *PRICES, "12345678901.00"),
    unusual("535871217", "0"),
    unusual("c6bd7419-2748-4c56-95b4-8cec9ff8b80d", ""),
).map(",".join)


def by_the_rules(row: bytes) -> tuple[Row | None, BadRowError | None]:
    try:
        return read_row(row), None
    except BadRowError as fault:
        return None, fault


@given(st.lists(ROWS.map(str.encode) | st.binary(max_size=40), max_size=8), st.sampled_from([b"\n", b"\r\n"]))
def test_columns_and_single_rows_are_read_by_the_same_rules(rows: list[bytes], end: bytes) -> None:
    data = b"".join(row + end for row in rows)
    decoded = decode(data, source="test", first_row=2)
    assert decoded.rows == len(decoded.events) + len(decoded.bad) == len(decoded.text)
    events = iter(decoded.events.to_pylist())
    bad = iter(decoded.bad.to_pylist())
    for row in decoded.text:
        expected, fault = by_the_rules(row)
        if fault:
            kept = next(bad)
            assert (fault.reason, fault.field, row) == (kept["reason"], kept["field"], kept["raw"])
        if expected:
            event = next(events)
            assert expected == tuple(event[name] for name in RAW_COLUMNS)
            assert read_row(canonical_row(*expected)) == expected
            assert event["event_id"] == decode(canonical_row(*expected), source="").events.column("event_id")[0].as_py()
