"""The codec keeps every row: a good one as an event, a bad one with its reason."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.bad_events import Reason
from app.events.byte_streams import BOM
from app.events.csv_codec import HEADER, Block, decode, decode_blocks
from app.events.csv_row import BadRowError, Row, read_row
from app.events.identity import canonical_row
from app.events.schema import EVENTS, MAX_ROW_BYTES, RAW_COLUMNS
from app.events.time_bounds import ANY_TIME, TimeBounds

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
        (with_field("event_time", "2019-10-01 00:00"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:00:00 KST"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:00:00+24:00"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "0001-01-01 00:00:00+01:00"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "9999-12-31 23:59:59-00:01"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "2019-10-01 00:00:00."), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", "yesterday at ten o'cloc"), Reason.INVALID_TIME, "event_time"),
        (with_field("event_time", ""), Reason.INVALID_TIME, "event_time"),
        (with_field("event_type", "wish"), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("event_type", "views"), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("event_type", ""), Reason.UNKNOWN_EVENT_TYPE, "event_type"),
        (with_field("product_id", "12.5"), Reason.INVALID_ID, "product_id"),
        (with_field("product_id", "0x1F"), Reason.INVALID_ID, "product_id"),
        (with_field("category_id", "9223372036854775808"), Reason.INVALID_ID, "category_id"),
        (with_field("category_id", "2.053013555631882655e18"), Reason.IMPRECISE_ID, "category_id"),
        (with_field("category_id", "2.05301E+18"), Reason.IMPRECISE_ID, "category_id"),
        (with_field("category_id", "2053013555631882655.0"), Reason.IMPRECISE_ID, "category_id"),
        (with_field("user_id", ""), Reason.INVALID_ID, "user_id"),
        (with_field("price", "-1.00"), Reason.NEGATIVE_PRICE, "price"),
        (with_field("price", ""), Reason.INVALID_PRICE, "price"),
        (with_field("price", "nan"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "5.e0"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "1,08"), Reason.EXTRA_COLUMNS, None),
        (with_field("price", "-0.005"), Reason.NEGATIVE_PRICE, "price"),
        (with_field("price", "9999999999.995"), Reason.INVALID_PRICE, "price"),
        (with_field("price", "1e10"), Reason.INVALID_PRICE, "price"),
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
        GOOD.replace(b" 00:00:01 UTC", b"T00:00:01.000Z"),
        GOOD.replace(b" UTC", b""),
        GOOD.replace(b" UTC", b"+00:00"),
        GOOD.replace(b"00:00:01 UTC", b"09:00:01+09:00"),
        GOOD.replace(b"-01 00:00:01 UTC", b"-01 00:00:01.000000999"),
        GOOD.replace(b"2019-10-01 00:00:01 UTC", b"2019-09-30T19:30:01-0430"),
        GOOD.replace(b"view", b"View"),
        GOOD.replace(b"535871217", b"535871217.0"),
        GOOD.replace(b"1081.98", b"1081.9800000000002"),
        GOOD.replace(b"1081.98", b"1081.975"),
        GOOD.replace(b"1081.98", b"1.08198E3"),
        GOOD.replace(b"view,1004237", b" view, 1004237"),
    ],
)
def test_the_same_content_written_otherwise_has_the_same_event_id(row: bytes) -> None:
    ids = decode(GOOD + b"\n" + row, source="test").events.column("event_id").to_pylist()
    assert ids[0] == ids[1]


def test_times_may_have_a_fraction_down_to_microseconds() -> None:
    times = decode(with_field("event_time", "2019-10-01 00:00:01.25 UTC"), source="test").events.column("event_time")
    assert times.to_pylist() == [datetime(2019, 10, 1, 0, 0, 1, 250_000, tzinfo=UTC)]


@pytest.mark.parametrize("year", ["0001", "0019", "0999", "1000", "2019", "9999"])
@pytest.mark.parametrize("fraction", ["", ".5"])
def test_equal_rows_have_one_id_in_every_year(year: str, fraction: str) -> None:
    row = with_field("event_time", f"{year}-10-05 10:00:00{fraction} UTC")
    ids = decode(row + b"\n" + row.replace(b"apple", b'"apple"'), source="").events.column("event_id").to_pylist()
    assert ids[0] == ids[1]


def test_an_id_stays_what_it_is() -> None:
    ids = decode(GOOD + b"\n" + OTHER.replace(b"02 UTC", b"02.250000 UTC"), source="").events.column("event_id")
    assert [one.hex() for one in ids.to_pylist()] == [
        "c7bac0018b196d85ac64024d6c880eb1",
        "0d8d2e5a2d5f9cf614941cd8cadbe443",
    ]


@pytest.mark.parametrize("before", [0, 3_640, 30_000])
def test_a_nul_byte_spoils_no_row_beside_it_however_many_are_decoded_at_once(before: int) -> None:
    for brand in (b"a" * width + b"\0" for width in range(16)):  # its place in a word of 8 bytes makes a difference
        good, wide = GOOD.replace(b"apple", brand), GOOD.replace(b"apple", brand + b",more")
        decoded = decode(b"\n".join([*[GOOD] * before, good, wide, OTHER]), source="test")
        assert decoded.events.column("brand").to_pylist()[before:] == [brand.decode(), None]
        assert decoded.bad.column("raw").to_pylist() == [wide]
    decoded = decode(b"\n".join([*[GOOD] * before, GOOD + b"\0", OTHER]), source="test")
    assert (decoded.rows, len(decoded.events)) == (before + 2, before + 2)


DAY = 86_400_000_000


def test_a_time_out_of_bounds_is_a_bad_event_in_each_block_by_its_own_bounds() -> None:
    first = int(datetime(2019, 10, 1, 0, 0, 1, tzinfo=UTC).timestamp()) * 1_000_000
    rows = GOOD + b"\n" + GOOD.replace(b"2019", b"0019") + b"\n" + GOOD.replace(b"01 UTC", b"01.000001 UTC")
    bounds = [ANY_TIME, TimeBounds(first, first + 1), TimeBounds(first + 1, first + DAY), TimeBounds(-DAY, first + 2)]
    decoded = decode_blocks([Block(rows, str(i), bounds=own) for i, own in enumerate(bounds)])
    places = [decoded.events.column(name).to_pylist() for name in ("source", "source_row")]
    assert list(zip(*places, strict=True)) == [("0", 1), ("0", 2), ("0", 3), ("1", 1), ("2", 3), ("3", 1), ("3", 3)]
    assert decoded.rows == 12
    assert set(decoded.bad.column("reason").to_pylist()) == {Reason.IMPLAUSIBLE_TIME}
    assert set(decoded.bad.column("field").to_pylist()) == {"event_time"}


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
