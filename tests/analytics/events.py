"""Events for tests, from raw rows, from files of real rows and from the generator."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from app.events.csv_codec import Decoded, decode
from app.events.generator import Settings, generate
from app.events.schema import EVENTS


def read_events(file: Path) -> pa.Table:
    """The events of a raw file (plain CSV) that has no bad rows, each once."""
    return events_of(file.read_bytes(), file.name)


def events_of(rows: bytes, source: str) -> pa.Table:
    """The events of raw rows, none of them bad, each once."""
    decoded = decode(rows, source=source)
    assert len(decoded.bad) == 0, decoded.bad.to_pylist()
    return _distinct([decoded])


def real_events(files: Iterable[Path]) -> pa.Table:
    return _distinct([decode(gzip.decompress(file.read_bytes()), source=file.name) for file in files])


def generated_events(count: int, seed: int = 7) -> pa.Table:
    """Events of about ten weeks, a few of them without a session or with one that is named like a visitor."""
    blocks = generate(Settings(events=count, seed=seed, days=70))
    return _without_some_sessions(_distinct([decode(block, source="generated", first_row=2) for block in blocks]))


def _distinct(parts: Iterable[Decoded]) -> pa.Table:
    """Each event once, in the columns of EVENTS."""
    seen: set[bytes] = set()
    tables = []
    for part in parts:
        keep = []
        for event_id in part.events.column("event_id").to_pylist():
            keep.append(event_id not in seen)
            seen.add(event_id)
        kept = part.events.filter(pa.array(keep, pa.bool_()))
        tables.append(pa.Table.from_batches([kept]).select(EVENTS.names).cast(EVENTS))
    return pa.concat_tables(tables).combine_chunks()


def _without_some_sessions(events: pa.Table) -> pa.Table:
    some = pc.equal(pc.bit_wise_and(events.column("user_id"), 31), 0)
    named = pc.equal(pc.bit_wise_and(events.column("product_id"), 1), 0)
    like_user = pc.binary_join_element_wise("user:", events.column("user_id").cast(pa.string()), "")
    missing_or_like_user = pc.if_else(named, like_user, pa.scalar(None, pa.string()))
    sessions = pc.if_else(some, missing_or_like_user, events.column("user_session"))
    return events.set_column(EVENTS.get_field_index("user_session"), EVENTS.field("user_session"), sessions)
