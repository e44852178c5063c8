"""Sessions cut into shares, so that a task can have whole sessions without reading what is of others.

A file of events has its rows in the order of shares, the rows of a share in the order of the source. Each share is a
row group of its own in the Parquet file, or none where it is empty.
"""

import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.batch.folder import Folder
from app.events.session_key import session_keys

SHARES: Final = 16
"""Enough that a share of a month of 70 million events fits a task in a few steps; more would make files larger."""

MAX_EVENTS: Final = 400_000
"""Events of a share in memory at a time, but for those of a single file."""

_SHIFT: Final = 32 - (SHARES - 1).bit_length()

Hashes = npt.NDArray[np.uint32]


def hash_of(session_key: bytes) -> int:
    """The hash of a session's key (`session_key` of `app.analytics.facts`), 32 bits. Its highest bits are its share."""
    return zlib.crc32(session_key)


def hashes_of(events: pa.Table) -> Hashes:
    """The hash of the session of each event."""
    keys = session_keys(events.column("user_session"), events.column("user_id"))
    coded = pa.chunked_array(keys).combine_chunks().dictionary_encode()
    of_each: Hashes = np.fromiter(map(hash_of, coded.dictionary.cast(pa.binary()).to_pylist()), np.uint32)
    hashes: Hashes = of_each[coded.indices.to_numpy()]
    return hashes


def shares_of(hashes: Hashes) -> npt.NDArray[np.int64]:
    """The share of each hash, 0 to `SHARES - 1`."""
    return (hashes >> _SHIFT).astype(np.int64)


def by_share(events: pa.Table) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """The events in the order of shares, and the share of each."""
    shares = shares_of(hashes_of(events))
    order = np.argsort(shares, kind="stable")
    return events.take(pa.array(order)), shares[order]


def write_shares(folder: Folder, name: str, events: pa.Table, shares: npt.NDArray[np.int64]) -> None:
    """Write a file of events, which are in the order of their shares. Raises OSError."""
    sizes = np.bincount(shares, minlength=SHARES).tolist()
    folder.write_table(name, events, {str(share): size for share, size in enumerate(sizes) if size})


def read_shares(
    folder: Folder, files: Sequence[str], shares: Collection[int], columns: Sequence[str], *, coded: bool = False
) -> Iterator[pa.Table]:
    """Read all events of some shares, as many files at once as fit into memory.

    `coded` is as `Folder.read_table` has it. Raises OSError.
    """
    waiting: list[pa.Table] = []
    for file in files:
        events = folder.read_row_groups(file, list(columns), [str(share) for share in shares], coded=coded)
        if waiting and sum(map(len, waiting)) + len(events) > MAX_EVENTS:
            yield pa.concat_tables(waiting)
            waiting.clear()
        if len(events):
            waiting.append(events)
    if waiting:
        yield pa.concat_tables(waiting)


def cut_shares(size: int) -> list[range]:
    """All shares, cut into ranges of so many; the last has what is left."""
    return [range(first, min(first + size, SHARES)) for first in range(0, SHARES, size)]
