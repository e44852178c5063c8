"""Facts of a part: what DuckDB makes of its events where they are, so that Spark gets rows that are already summed.

Runs in Spark's executors. A part is small enough for one core, and its Parquet files need no way through the JVM:

    events of a part ── DuckDB, the SQL of each fact ── part_facts/FACT/part-00007-0000.parquet

The SQL comes compiled, since what compiles it takes longer to import than a part takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from app.batch.folder import Folder
from app.batch.parts import Part

_FOLDER: Final = "part_facts"


@dataclass(frozen=True)
class PartFacts:
    """What is to be made of each part, by the names of the facts."""

    sql: Mapping[str, str]
    """DuckDB's SQL on the table `events`."""
    schemas: Mapping[str, pa.Schema]
    columns: tuple[str, ...]
    """The columns of `events` that the SQL reads."""

    def make(self, part: Part, folder: Folder) -> Iterator[int]:
        """Make the facts of a part. Gives the number of its events; raises OSError."""
        files = [folder.read_table(file, list(self.columns)) for file in part.event_files()]
        events = pa.concat_tables(files)
        with duckdb.connect(config={"threads": 1}) as engine:
            engine.execute("SET TimeZone = 'UTC'")
            engine.register("events", events)
            for name, sql in self.sql.items():
                made = engine.sql(sql).to_arrow_table().cast(self.schemas[name])
                folder.write_table(f"{_FOLDER}/{name}/{part.name}.parquet", made)
        yield part.events


def folder_of(name: str) -> str:
    """The folder of the parts of a fact, below the run's folder."""
    return f"{_FOLDER}/{name}"
