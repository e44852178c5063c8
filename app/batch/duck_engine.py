"""DuckDB within a task, which has one core."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def duck_engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory, in UTC."""
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET TimeZone = 'UTC'")
        yield engine
