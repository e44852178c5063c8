"""Splits: which task reads which bytes of which file.

A plain file is cut into byte ranges without looking at it; a row belongs to the split in which its first byte is. A
packed file is one split, because it can only be read from its start.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.events.files import Block, EventFile, read_blocks, read_range


@dataclass(frozen=True, slots=True)
class Split:
    """`length` bytes of a source from `start`; None for all of it. `source` is the source's place in the run's list."""

    number: int
    source: int
    path: str
    start: int
    length: int | None


def plan_splits(files: Iterable[EventFile], split_bytes: int) -> list[Split]:
    """Cut files into splits, numbered in the order of files and of bytes. An empty file has none."""
    splits: list[Split] = []
    for source, file in enumerate(files):
        if file.is_packed:
            splits.append(Split(len(splits), source, file.path, 0, None))
            continue
        for start in range(0, file.size, split_bytes):
            splits.append(Split(len(splits), source, file.path, start, min(split_bytes, file.size - start)))
    return splits


def blocks_of(split: Split, rows: int, max_bytes: int) -> Iterator[Block]:
    """The rows of a split, numbered from 1 within it, in blocks of at most `rows` rows and `max_bytes` bytes.

    Raises:
        EventFileError: the file cannot be read, or is damaged.
    """
    if split.length is None:
        return read_blocks(split.path, rows, max_bytes)
    return read_range(split.path, split.start, split.length, rows, max_bytes)
