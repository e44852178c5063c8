"""Facts that DuckDB makes of the events where they are, so that Spark gets rows that are summed already.

Runs in Spark's executors. Some facts can be made of any part of the events, and are put together afterwards. Others are
of single sessions, and so are whole when they are made of all events of some sessions:

    a part ────────────────── DuckDB ── made_facts/activity/part-00007-0000.parquet
    a share of the sessions ── DuckDB ── made_facts/sessions/share-03.parquet

The SQL comes compiled, since what compiles it takes longer to import than a part takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from app.batch.duck_engine import duck_engine
from app.batch.folder import Folder
from app.batch.parts import Part
from app.batch.session_shares import read_shares


def folder_of(fact: str) -> str:
    """The folder of the files of a fact, below the run's folder."""
    return f"made_facts/{fact}"


@dataclass(frozen=True)
class PartFacts:
    """Makes facts of parts."""

    sql: Mapping[str, str]
    """DuckDB's SQL of each, on the table `events`."""
    schemas: Mapping[str, pa.Schema]
    columns: tuple[str, ...]
    """The columns of `events` that the SQL reads."""

    def make(self, part: Part, folder: Folder) -> Iterator[int]:
        """Make the facts of a part. Gives the number of its events; raises OSError."""
        files = [folder.read_table(file, list(self.columns)) for file in part.event_files()]
        with duck_engine() as engine:
            engine.register("events", pa.concat_tables(files))
            for name, sql in self.sql.items():
                made = engine.sql(sql).to_arrow_table().cast(self.schemas[name])
                folder.write_table(f"{folder_of(name)}/{part.name}.parquet", made)
        yield part.events


@dataclass(frozen=True)
class SessionFacts:
    """Makes facts of shares of the sessions, all of them from a first one."""

    first: str
    """A fact that may be made of some of the events at a time, and of which all rows together are as good."""
    sql: Mapping[str, str]
    """DuckDB's SQL of each: of the first on the table `events`, of others on those before it."""
    schemas: Mapping[str, pa.Schema]
    """Of those that are kept."""
    columns: tuple[str, ...]
    """The columns of `events` that the first one reads."""
    files: tuple[str, ...]
    """All files of events, below the run's folder."""

    def make(self, shares: range, folder: Folder) -> Iterator[int]:
        """Make the facts of some shares. Gives the number of rows of the first; raises OSError."""
        with duck_engine() as engine:
            rows = 0
            for events in read_shares(folder, self.files, shares, self.columns):
                engine.register("events", events)
                into = f"INSERT INTO {self.first}" if rows else f"CREATE TABLE {self.first} AS"
                rows += engine.execute(f"{into} {self.sql[self.first]}").fetchall()[0][0]
                engine.unregister("events")
            if not rows:
                return
            for name, sql in self.sql.items():
                if name != self.first:
                    engine.execute(f"CREATE TABLE {name} AS {sql}")
            for name, schema in self.schemas.items():
                made = engine.table(name).to_arrow_table().cast(schema)
                folder.write_table(f"{folder_of(name)}/share-{shares.start:02d}.parquet", made)
            yield rows
