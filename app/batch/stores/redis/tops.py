"""Leaderboards from the parts that days gave: how names are shared out, and the top of each share.

Every product belongs to a share, so that a task which has all days of it has its whole sums. Brands and sub-categories
are few, and all in the first share.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.batch.stores.redis.days import PARTIAL, add_names
from app.batch.stores.redis.keys import BOARDS, MEASURES, Board, Measure

_ROWS_AT_ONCE: Final = 2_000_000


@dataclass(frozen=True)
class Top:
    """The best names of a share by a measure, and how many the share has in all that have any of it."""

    board: Board
    measure: Measure
    names: list[str]
    scores: list[int]
    of: int


def share_out(names: pa.Table, shares: int) -> Iterator[tuple[int, pa.Table]]:
    """Cut a day's part (columns of `PARTIAL`) into shares; those without a name are left out."""
    products = pc.equal(names.column("board"), "products").to_numpy()
    share_of = np.zeros(len(names), np.int64)
    share_of[products] = pc.cast(names.filter(pa.array(products)).column("name"), pa.int64()).to_numpy() % shares
    for share in np.unique(share_of).tolist():
        yield share, names.filter(pa.array(share_of == share))


def tops_of(parts: Iterable[pa.Table], size: int) -> Iterator[Top]:
    """The top `size` names of each board and measure, from all parts of a share (columns of `PARTIAL`)."""
    sums = _add_up(parts)
    for board in BOARDS:
        of_board = sums.filter(pc.equal(sums.column("board"), board))
        for measure in MEASURES:
            found = of_board.filter(pc.greater(of_board.column(measure), 0))
            # Equal scores as Redis has them, by the bytes of names, so that the trimmed whole is the same every time.
            keys = [(measure, "descending"), ("name", "descending")]
            best = found.take(pc.select_k_unstable(found, min(size, len(found)), keys)) if len(found) else found
            yield Top(board, measure, best.column("name").to_pylist(), best.column(measure).to_pylist(), len(found))


def _add_up(parts: Iterable[pa.Table]) -> pa.Table:
    waiting = [PARTIAL.empty_table()]
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += len(part)
        if rows > _ROWS_AT_ONCE:
            waiting, rows = [add_names(waiting)], 0
    return add_names(waiting)
