"""Facts that DuckDB makes of the events where they are. Runs in Spark's executors.

Some facts can be made of any part of the events, and are put together afterwards, by shares of their keys. Others are
of single sessions, and so are whole when they are made of all events of some sessions:

    a part ── DuckDB ── parts_of_facts/activity/part-00007-0000.parquet ┐
                                                                        ├ DuckDB ── facts/activity/share-03.parquet
    a part ── DuckDB ── parts_of_facts/activity/part-00008-0000.parquet ┘
    a share of the sessions ── DuckDB ── facts/sessions/share-03.parquet

The SQL comes compiled, since what compiles it takes longer to import than a part takes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from app.batch.duck_engine import duck_engine
from app.batch.folder import Folder
from app.batch.parts import Part
from app.batch.session_shares import SHARES, cut_shares, read_shares, write_shares

_ROWS_A_TASK: Final = 400_000
_SHARE: Final = "share_of_keys"
_HASH_BITS: Final = 64
_SHIFT: Final = _HASH_BITS - (SHARES - 1).bit_length()


def folder_of(fact: str) -> str:
    """The folder of the files of a fact, below the run's folder."""
    return f"facts/{fact}"


def _parts_of(fact: str) -> str:
    return f"parts_of_facts/{fact}"


@dataclass(frozen=True)
class PartFacts:
    """Makes facts of parts."""

    sql: Mapping[str, str]
    """DuckDB's SQL of each, on the table `events`."""
    schemas: Mapping[str, pa.Schema]
    keys: Mapping[str, list[str]]
    """The keys of those that have to be put together."""
    columns: tuple[str, ...]
    """The columns of `events` that the SQL reads."""

    def make(self, part: Part, folder: Folder) -> Iterator[dict[str, int]]:
        """Make the facts of a part; gives the number of rows of each. Raises OSError."""
        files = [folder.read_table(file, list(self.columns), coded=True) for file in part.event_files()]
        rows: dict[str, int] = {}
        with duck_engine() as engine:
            engine.register("events", pa.concat_tables(files))
            for name, sql in self.sql.items():
                if name not in self.keys:
                    made = engine.sql(sql).to_arrow_table().cast(self.schemas[name])
                    folder.write_table(f"{folder_of(name)}/{part.name}.parquet", made)
                else:
                    share = f"(hash({', '.join(self.keys[name])}) >> {_SHIFT})::BIGINT"
                    made = engine.sql(f"SELECT *, {share} AS {_SHARE} FROM ({sql}) ORDER BY {_SHARE}").to_arrow_table()  # noqa: S608
                    shares = made.column(_SHARE).to_numpy()
                    made = made.drop_columns([_SHARE]).cast(self.schemas[name])
                    write_shares(folder, f"{_parts_of(name)}/{part.name}.parquet", made, shares)
                rows[name] = len(made)
        yield rows


@dataclass(frozen=True, slots=True)
class Merge:
    """Puts together the rows of some shares of the keys of a fact."""

    fact: str
    sql: str
    """DuckDB's SQL, on the table `parts`."""
    schema: pa.Schema
    parts: tuple[Part, ...]
    shares: range

    def make(self, folder: Folder) -> Iterator[int]:
        """Make the file of these shares; gives the number of its rows. Raises OSError."""
        files = [f"{_parts_of(self.fact)}/{part.name}.parquet" for part in self.parts]
        found = list(read_shares(folder, files, self.shares, self.schema.names))
        if found:
            with duck_engine() as engine:
                engine.register("parts", pa.concat_tables(found))
                made = engine.sql(self.sql).to_arrow_table().cast(self.schema)
            folder.write_table(f"{folder_of(self.fact)}/share-{self.shares.start:02d}.parquet", made)
            yield len(made)


def plan_merge(rows: int) -> list[range]:
    """The shares of each task that puts together so many rows."""
    return cut_shares(-(-SHARES // -(-rows // _ROWS_A_TASK))) if rows else []


@dataclass(frozen=True)
class SessionFacts:
    """Makes facts of shares of the sessions."""

    firsts: tuple[str, ...]
    """Facts that may be made of some of the events at a time, and of which all rows together are as good."""
    sql: Mapping[str, str]
    """DuckDB's SQL of each: of the firsts on the table `events`, of others on those before them."""
    schemas: Mapping[str, pa.Schema]
    """Of those that are kept."""
    columns: tuple[str, ...]
    """The columns of `events` that the firsts read."""
    files: tuple[str, ...]
    """All files of events, below the run's folder."""

    def make(self, shares: range, folder: Folder) -> Iterator[int]:
        """Make the facts of some shares. Gives the number of their events; raises OSError."""
        with duck_engine() as engine:
            rows = 0
            for events in read_shares(folder, self.files, shares, self.columns):
                engine.register("events", events)
                for name in self.firsts:
                    into = f"INSERT INTO {name}" if rows else f"CREATE TABLE {name} AS"
                    engine.execute(f"{into} {self.sql[name]}")
                engine.unregister("events")
                rows += len(events)
            if not rows:
                return
            for name, sql in self.sql.items():
                if name not in self.firsts:
                    engine.execute(f"CREATE TABLE {name} AS {sql}")
            for name, schema in self.schemas.items():
                made = engine.table(name).to_arrow_table().cast(schema)
                folder.write_table(f"{folder_of(name)}/share-{shares.start:02d}.parquet", made)
            yield rows


def plan_sessions(files: int) -> list[range]:
    """The shares of each task of `SessionFacts`: several where the files are few, so that a task is worth its start."""
    return cut_shares(max(1, SHARES // files)) if files else []
