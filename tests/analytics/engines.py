"""The engines that a question runs on: each takes Arrow tables by name and answers SQL with rows."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from app.analytics.sql import Dialect
from app.events.dialects import bigquery_fields

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import SparkSession

DATASET = "shop"


class Engine(Protocol):
    """An engine in a session whose time zone is UTC."""

    dialect: Dialect
    path: str
    """What to put before a table's name, with the dot."""

    def load(self, name: str, rows: pa.Table) -> None:
        """Make or replace a table."""

    def query(self, sql: str) -> pa.Table:
        """Run a query; types are the engine's own."""


class DuckDb:
    dialect: Dialect = "duckdb"
    path = ""

    def __init__(self, connection: "duckdb.DuckDBPyConnection") -> None:
        self._connection = connection
        connection.execute("SET TimeZone = 'UTC'")

    def load(self, name: str, rows: pa.Table) -> None:
        self._connection.register("loaded", rows)
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM loaded")
        self._connection.unregister("loaded")

    def make_schema(self, name: str) -> None:
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")

    def query(self, sql: str) -> pa.Table:
        return self._connection.sql(sql).to_arrow_table()


class Spark:
    dialect: Dialect = "pyspark"
    path = ""

    def __init__(self, session: "SparkSession", folder: Path) -> None:
        self.session = session
        self._folder = folder
        self._loads = 0

    def load(self, name: str, rows: pa.Table) -> None:
        self._loads += 1
        path = str(self._folder / f"{name}-{self._loads}.parquet")
        pq.write_table(rows, path)
        self.session.read.parquet(path).createOrReplaceTempView(name)

    def query(self, sql: str) -> pa.Table:
        return self.session.sql(sql).toArrow()


class BigQuery:
    dialect: Dialect = "bigquery"
    path = f"{DATASET}."

    def __init__(self) -> None:
        from app.gcp.clients import bigquery_client

        self._client = bigquery_client()
        self._client.create_dataset(DATASET)

    def load(self, name: str, rows: pa.Table) -> None:
        from google.cloud.bigquery import LoadJobConfig, SchemaField, Table

        table = f"{self._client.project}.{DATASET}.{name.removeprefix(self.path)}"
        self._client.delete_table(table, not_found_ok=True)
        self._client.create_table(
            Table(table, [SchemaField.from_api_repr(field) for field in bigquery_fields(rows.schema)])
        )
        if rows.num_rows == 0:
            return
        file = io.BytesIO()
        pq.write_table(rows, file)
        file.seek(0)
        self._client.load_table_from_file(file, table, job_config=LoadJobConfig(source_format="PARQUET")).result()

    def make_view(self, name: str, sql: str) -> None:
        self._client.query(f"CREATE OR REPLACE VIEW {name} AS {sql}").result()

    def query(self, sql: str) -> pa.Table:
        rows = self._client.query(sql).result()
        names = [field.name for field in rows.schema]
        values = [list(row.values()) for row in rows]
        return pa.table({name: _column(values, index) for index, name in enumerate(names)})


def _column(rows: list[list[Any]], index: int) -> pa.Array:
    return pa.array([row[index] for row in rows])


@contextmanager
def spark_session(folder: Path) -> Iterator["SparkSession"]:
    """A local Spark on two threads, as small as it can be."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]")
    for key, value in {
        # Compiled quickly rather than well: a test asks each thing once.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.local.dir": str(folder),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()
