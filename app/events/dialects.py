"""Schemas in the terms of other systems, derived from the Arrow schemas of `app.events.schema`."""

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa


@dataclass(frozen=True)
class _Type:
    """One kind of column in each system's own words."""

    bigquery: str
    spark: str
    mysql: str
    cassandra: str


_TYPES: Final = {
    pa.binary(): _Type("BYTES", "BINARY", "VARBINARY(16)", "blob"),
    pa.timestamp("us", tz="UTC"): _Type("TIMESTAMP", "TIMESTAMP", "DATETIME(6)", "timestamp"),
    pa.date32(): _Type("DATE", "DATE", "DATE", "date"),
    pa.string(): _Type("STRING", "STRING", "VARCHAR(255)", "text"),
    pa.int64(): _Type("INT64", "BIGINT", "BIGINT", "bigint"),
    pa.float64(): _Type("FLOAT64", "DOUBLE", "DOUBLE", "double"),
    pa.bool_(): _Type("BOOL", "BOOLEAN", "BOOLEAN", "boolean"),
}


def _type(field: pa.Field) -> _Type:
    if pa.types.is_decimal(field.type):
        decimal = f"DECIMAL({field.type.precision},{field.type.scale})"
        return _Type("NUMERIC", decimal, decimal, "decimal")
    return _TYPES[field.type]


def bigquery_fields(schema: pa.Schema) -> list[dict[str, Any]]:
    """A BigQuery table schema: one field a column, as its REST API and Pulumi take them as JSON."""
    return [
        {
            "name": field.name,
            "type": _type(field).bigquery,
            "mode": "NULLABLE" if field.nullable else "REQUIRED",
            "description": description(field),
        }
        for field in schema
    ]


def bigquery_arrow(schema: pa.Schema) -> pa.Schema:
    """The Arrow schema that BigQuery's Storage Write API takes for the same table: NUMERIC has 38 digits, 9 of them
    after the point (source: "Supported Arrow data types" of the BigQuery Storage Write API)."""
    return pa.schema(
        [field.with_type(pa.decimal128(38, 9)) if pa.types.is_decimal(field.type) else field for field in schema]
    )


def spark_ddl(schema: pa.Schema) -> str:
    """A Spark schema as DDL text, which `StructType.fromDDL` and readers take."""
    return ", ".join(f"{field.name} {_type(field).spark}{'' if field.nullable else ' NOT NULL'}" for field in schema)


def mysql_columns(schema: pa.Schema) -> list[str]:
    """Column definitions of a MySQL or MariaDB table. Text longer than 255 characters needs a type of its own."""
    return [f"`{field.name}` {_type(field).mysql}{'' if field.nullable else ' NOT NULL'}" for field in schema]


def cassandra_columns(schema: pa.Schema) -> list[str]:
    """Column definitions of a CQL table; CQL has no NOT NULL."""
    return [f"{field.name} {_type(field).cassandra}" for field in schema]


def description(field: pa.Field) -> str:
    """What a column means, in words."""
    text: bytes = (field.metadata or {}).get(b"description", b"")
    return text.decode()
