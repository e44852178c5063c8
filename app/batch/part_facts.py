"""Facts of a part: what DuckDB makes of its events where they are, so that Spark gets rows that are already summed.

Runs in Spark's executors. A part is small enough for one core, and its Parquet files need no way through the JVM:

    events of a part ── DuckDB, the SQL of each fact ── part_facts/FACT/part-00007-0000.parquet
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

import duckdb
import pyarrow as pa

from app.analytics import FACTS
from app.analytics.sql import columns_of, compile_fact, mergeable_facts
from app.batch.folder import Folder
from app.batch.parts import Part
from app.events.schema import EVENTS

_FOLDER: Final = "part_facts"


@dataclass(frozen=True)
class PartFacts:
    """What is to be made of each part: for executors, which then need not compile it."""

    sql: Mapping[str, str]
    schemas: Mapping[str, pa.Schema]
    columns: tuple[str, ...]

    @classmethod
    def compiled(cls) -> Self:
        """All facts that can be made from parts of the events."""
        names = mergeable_facts()
        read = {column for name in names for column in columns_of(name)}
        return cls(
            {name: compile_fact(name, "duckdb") for name in names},
            {name: FACTS[name].schema for name in names},
            tuple(column for column in EVENTS.names if column in read),
        )

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
