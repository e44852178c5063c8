"""Engines and events for the tests of the questions."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from tests.analytics.engines import BigQuery, DuckDb, Engine, Spark, spark_session
from tests.analytics.events import generated_events, real_events


@pytest.fixture(scope="session")
def duckdb_engine() -> DuckDb:
    import duckdb

    return DuckDb(duckdb.connect())


@pytest.fixture(scope="package")
def spark_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    folder = tmp_path_factory.mktemp("spark")
    from app.local.java import get_java

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(get_java().home))
        with spark_session(folder) as session:
            yield Spark(session, folder)


@pytest.fixture(scope="package")
def bigquery_engine() -> Iterator[BigQuery]:
    from app.local.bigquery import bigquery_emulator
    from app.local.emulators import environment

    with bigquery_emulator() as emulator, environment(emulator.environment):
        yield BigQuery()


@pytest.fixture(
    params=[
        "duckdb",
        pytest.param("spark", marks=pytest.mark.integration),
        pytest.param("bigquery", marks=pytest.mark.integration),
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine in turn; DuckDB alone needs no server."""
    return request.getfixturevalue(f"{request.param}_engine")  # type: ignore[no-any-return]


@pytest.fixture(scope="session", params=["real", "generated"])
def many_events(request: pytest.FixtureRequest) -> pa.Table:
    """Thousands of events, each once: real rows where they are found beside the repository, and generated ones."""
    if request.param == "generated":
        return generated_events(20_000)
    folder = Path(__file__).parents[3] / "shared" / "data"
    files = sorted(folder.glob("rees46-*.csv.gz"))
    if not files:
        pytest.skip(f"unavoidable: no real rows in {folder}")
    return real_events(files)
