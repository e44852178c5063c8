"""Repeats of an event in different parts: found by their ids, then kept aside. Runs in Spark's executors.

Of identical rows the first stays, in the order of sources, splits and rows, so that a second run keeps the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.event_ids import FIRST_BYTES, Ids, read_ids
from app.batch.folder import Folder
from app.batch.parts import Part
from app.batch.session_shares import by_share, write_shares

_IDS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """Ids whose first byte is in `first` to `last` (not included): one task's share."""

    number: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Finish:
    """What is left to do for a part: `offset` rows of its source come before it, and repeats are in these shares."""

    part: Part
    offset: int
    shares: tuple[int, ...]


def plan_shares(events: int, tasks: int) -> list[Share]:
    """Cut all ids into shares that fit into a task's memory, and at least as many as tasks run at once."""
    count = min(max(tasks, -(-events // _IDS_AT_ONCE)), FIRST_BYTES)
    bounds = [FIRST_BYTES * i // count for i in range(count + 1)]
    return [Share(i, bounds[i], bounds[i + 1]) for i in range(count)]


def find_repeats(share: Share, parts: Sequence[Part], folder: Folder) -> dict[int, int]:
    """Find the events of a share that are in an earlier part too.

    Writes their parts and places for `finish_part`. Gives how many there are by index in `parts`.
    """
    found = [(index, *read_ids(folder, part.ids_file, share.first, share.last)) for index, part in enumerate(parts)]
    ids = Ids(
        np.concatenate([ids.high for _, ids, _ in found]),
        np.concatenate([ids.low for _, ids, _ in found]),
    )
    repeats = ids.repeats()
    if not len(repeats):
        return {}
    owners = np.repeat(np.arange(len(parts)), [len(places) for _, _, places in found])[repeats]
    places = np.concatenate([places for _, _, places in found])[repeats]
    keys = np.array([(part.split, part.number) for part in parts])[owners]
    folder.write_bytes(_share_file(share.number), np.column_stack([keys, places]).astype(np.int32).tobytes())
    counted, counts = np.unique(owners, return_counts=True)
    return dict(zip(counted.tolist(), counts.tolist(), strict=True))


def finish_part(finish: Finish, folder: Folder) -> Part:
    """Take the repeats out of a part's events and aside, and number its bad events by their rows in the source.

    Gives the part as it is then. May run again after it failed or was lost: each step reads other files than it
    writes, and a file is deleted when all that is made of it is there.
    """
    part = finish.part
    if part.bad:
        bad = folder.read_table(part.raw_bad_file)
        column = bad.schema.get_field_index("source_row")
        rows = pc.add(bad.column(column), finish.offset)
        folder.write_table(part.bad_file, bad.set_column(column, bad.schema.field(column), rows))
    if not finish.shares:
        return part
    repeats = np.concatenate([_places(part, share, folder) for share in finish.shares])
    keep = np.ones(part.events, bool)
    keep[repeats] = False
    ends = np.cumsum([size for _, size in part.days])
    kept = dict(zip((day for day, _ in part.days), np.split(keep, ends[:-1]), strict=True))
    touched = {day: mask for day, mask in kept.items() if not mask.all()}
    there = {day: folder.read_table(part.event_file(day)) for day in touched if folder.exists(part.event_file(day))}
    if len(there) == len(touched):
        aside = [there[day].filter(pa.array(~mask)) for day, mask in touched.items()]
        folder.write_table(part.repeats_file, pa.concat_tables(aside))
    for day, events in there.items():
        if touched[day].any():
            write_shares(folder, part.finished_event_file(day), *by_share(events.filter(pa.array(touched[day]))))
        folder.delete(part.event_file(day))
    left = {day: int(mask.sum()) for day, mask in kept.items()}
    return replace(
        part,
        events=int(keep.sum()),
        days=tuple((day, count) for day, count in left.items() if count),
        repeats=int(part.events - keep.sum()),
        finished=tuple(day for day in touched if left[day]),
    )


def _places(part: Part, share: int, folder: Folder) -> npt.NDArray[np.int32]:
    with folder.open_input(_share_file(share)) as file:
        split, number, places = np.frombuffer(file.read(), np.int32).reshape(-1, 3).T
    own: npt.NDArray[np.int32] = places[(split == part.split) & (number == part.number)]
    return own


def _share_file(share: int) -> str:
    return f"repeats/{share:03d}.bin"
