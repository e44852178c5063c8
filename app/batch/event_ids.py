"""Event ids of a part as sorted integers in a file, from which a task reads its share of all ids.

An id of 16 bytes is two integers, `high` and `low`. A file holds the part's ids sorted by `high`, each with the
event's place in the part, after a table of where each first byte's ids begin. Since ids are hashes, a range of first
bytes is an even share of the ids: what a shuffle would do, without one.

    257 x int64 begin of first byte 0..255, count | count x uint64 high | count x uint64 low | count x int32 place
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.batch.folder import Folder
from app.events.identity import ID_BYTES

FIRST_BYTES: Final = 256
_HEAD_BYTES: Final = (FIRST_BYTES + 1) * 8
_COLUMNS: Final = (("<u8", 8), ("<u8", 8), ("<i4", 4))

Integers = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids in the order of their events: two arrays of one length."""

    high: Integers
    low: Integers

    @classmethod
    def of(cls, event_ids: pa.ChunkedArray) -> Self:
        """The ids of a binary column in which each value has 16 bytes."""
        column = event_ids.combine_chunks()
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        if not len(array):
            return cls(np.empty(0, np.uint64), np.empty(0, np.uint64))
        start = int(np.frombuffer(array.buffers()[1], np.int32, 1, array.offset * 4)[0])
        pairs = np.frombuffer(array.buffers()[2], ">u8", len(array) * ID_BYTES // 8, start).astype(np.uint64)
        return cls(pairs[0::2].copy(), pairs[1::2].copy())

    def repeats(self) -> Places:
        """The places of ids that are equal to one at an earlier place, in ascending order."""
        order = np.argsort(self.high, kind="stable")
        high = self.high[order]
        equal = high[1:] == high[:-1]
        if not equal.any():
            return np.empty(0, np.int64)
        # Few have a neighbour with the same high half; these alone are compared as a whole.
        near = np.concatenate([equal, [False]]) | np.concatenate([[False], equal])
        places = order[near]
        places = places[np.lexsort((places, self.low[places], self.high[places]))]
        same = (self.high[places[1:]] == self.high[places[:-1]]) & (self.low[places[1:]] == self.low[places[:-1]])
        return np.sort(places[1:][same])

    def keep(self, mask: npt.NDArray[np.bool_]) -> "Ids":
        """The ids where `mask` is true."""
        return Ids(self.high[mask], self.low[mask])


def write_ids(folder: Folder, name: str, ids: Ids) -> None:
    """Write the ids of a part's events."""
    order = np.argsort(ids.high)
    high = ids.high[order]
    firsts = np.arange(1, FIRST_BYTES, dtype=np.uint64) << np.uint64(56)
    begins = np.concatenate([[0], np.searchsorted(high, firsts), [len(high)]]).astype("<i8")
    columns = (high, ids.low[order], order)
    data = [begins.tobytes()]
    data += [column.astype(kind).tobytes() for column, (kind, _) in zip(columns, _COLUMNS, strict=True)]
    folder.write_bytes(name, b"".join(data))


def read_ids(folder: Folder, name: str, first: int, last: int) -> tuple[Ids, Places]:
    """The ids in a file whose first byte is in `first` to `last` (not included), and their events' places."""
    with folder.open_input(name) as file:
        begins = np.frombuffer(file.read(_HEAD_BYTES), "<i8")
        begin, end, count = int(begins[first]), int(begins[last]), int(begins[-1])
        columns = []
        offset = _HEAD_BYTES
        for kind, width in _COLUMNS:
            file.seek(offset + begin * width)
            columns.append(np.frombuffer(file.read((end - begin) * width), kind))
            offset += count * width
    return Ids(columns[0], columns[1]), columns[2].astype(np.int64)
