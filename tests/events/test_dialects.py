"""Every system's schema is derived from the one definition."""

import pyarrow as pa
import pytest

from app.events.decimals import from_cents, to_cents
from app.events.dialects import bigquery_arrow, bigquery_fields, cassandra_columns, mysql_columns, spark_ddl
from app.events.schema import EVENTS, PRICE
from app.events.warehouse import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_type_and_a_description_in_bigquery(name: str) -> None:
    schema = TABLES[name].schema
    fields = bigquery_fields(schema)
    assert [field["name"] for field in fields] == schema.names
    assert all(field["description"] for field in fields)
    assert {field["mode"] for field in fields} <= {"REQUIRED", "NULLABLE"}
    assert TABLES[name].partition_by in schema.names
    assert set(TABLES[name].cluster_by) <= set(schema.names)


def test_ids_of_19_digits_and_money_are_exact_everywhere() -> None:
    at, price = EVENTS.names.index("category_id"), EVENTS.names.index("price")
    assert [bigquery_fields(EVENTS)[i]["type"] for i in (at, price)] == ["INT64", "NUMERIC"]
    assert [spark_ddl(EVENTS).split(", ")[at], mysql_columns(EVENTS)[at], cassandra_columns(EVENTS)[at]] == [
        "category_id BIGINT NOT NULL",
        "`category_id` BIGINT NOT NULL",
        "category_id bigint",
    ]
    assert "`price` DECIMAL(12,2) NOT NULL" in mysql_columns(EVENTS)
    assert "price decimal" in cassandra_columns(EVENTS)


def test_bigquery_takes_money_with_nine_places() -> None:
    assert bigquery_arrow(EVENTS).field("price").type == pa.decimal128(38, 9)
    assert bigquery_arrow(EVENTS).names == EVENTS.names


def test_missing_values_are_allowed_where_the_definition_says_so() -> None:
    nullable = {field["name"] for field in bigquery_fields(EVENTS) if field["mode"] == "NULLABLE"}
    assert nullable == {"category_code", "department", "sub_category", "product", "brand", "user_session"}


def test_money_keeps_its_hundredths_both_ways() -> None:
    texts = ["0.00", "33.20", "-1.05", "9999999999.99"]
    money = pa.array(texts).cast(PRICE)
    assert to_cents(money).tolist() == [0, 3320, -105, 999_999_999_999]
    assert from_cents(to_cents(money)).equals(money)
    assert to_cents(money.slice(2)).tolist() == [-105, 999_999_999_999]
