"""What visitors do: sessions of views that may end in a cart or a purchase, and a few robots among them.

A session is about one product. Its visitor looks at it, at others of its category, at what goes well with
it and at anything else. Whether it ends in a cart or a purchase depends on the category, on the visitor and on
the hour. Everything is computed for thousands of sessions at once.
"""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from app.events.store_model.catalogue import Catalogue
from app.events.store_model.traffic import Traffic
from app.events.store_model.visitors import Visitors, trait

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

VIEW, CART, PURCHASE = 0, 1, 2
EVENTS_A_SESSION: Final = 4.59

_CONVERTS: Final = 0.0913
"""Share of sessions with a cart or a purchase."""
_CART_ONLY: Final = 0.318
_PURCHASE_ONLY: Final = 0.238
"""Of the sessions that convert: those that leave a cart behind, and those that buy without one."""
_SECOND_PIECE: Final = 0.06
_COMPANION: Final = 0.30
_OTHER_COMPANION: Final = 0.3
_ALTERNATIVE: Final = 0.08
_BUYS_COMPANION: Final = 0.75
_BUYS_AGAIN: Final = 0.07

_KEEN_SHARE: Final = 0.25
_KEEN: Final = 2.95
_CASUAL: Final = 0.35
_SAME_CATEGORY_AGAIN: Final = 0.35

# A view up to each of these chances is of the session's product, of its category, of what goes well with it; else
# of anything.
_FOCUS, _NEAR, _BESIDE = 0.34, 0.90, 0.94
_AGAIN: Final = 0.22
_READER, _WATCHER = 1, 2
"""Kinds of robots; a visitor who is none has 0."""

_NO_SESSION: Final = 0.008
"""Share of first sessions whose events lack user_session."""
_PAUSE: Final = 0.008
"""Share of steps at which a visitor leaves for half an hour to eight hours and comes back to the same session."""

# Views of a session: mixtures of geometric distributions, share and chance to go on.
_BROWSE: Final = ((0.425, 0.16), (0.367, 0.71), (0.208, 0.914))
_DECIDE: Final = ((0.45, 0.55), (0.40, 0.84), (0.15, 0.94))
_MOST_VIEWS: Final = 160

# Places within a step of a session, a step being one view of the walk and what comes after it.
_STEP: Final = 16
_AT_CART, _AT_SECOND, _AT_COMPANION, _AT_COMPANION_CART, _AT_OTHER, _AT_OTHER_CART = 2, 3, 5, 6, 7, 8
_AT_PURCHASE, _AT_COMPANION_PURCHASE, _AT_AGAIN = 10, 11, 12


@dataclass(frozen=True)
class Columns:
    """Events as columns of the same length."""

    time: Ints
    """Seconds since the span began."""
    kind: Ints
    """VIEW, CART or PURCHASE."""
    product: Ints
    """Index in the catalogue."""
    user_id: Ints
    session: npt.NDArray[np.uint64]
    """(n, 2): the 128 bits of user_session."""
    named: Flags
    """Whether user_session is there."""

    def __len__(self) -> int:
        """The number of events."""
        return len(self.time)

    def take(self, index: npt.NDArray[np.int64] | Flags | slice) -> Self:
        """The events at `index`, or where it is true."""
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))

    def plus(self, other: Self) -> Self:
        """These events and then the others."""
        return type(self)(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


def no_events() -> Columns:
    """Columns of length 0."""
    none = np.zeros(0, dtype=np.int64)
    return Columns(none, none, none, none, np.zeros((0, 2), dtype=np.uint64), np.zeros(0, dtype=bool))


def _lengths(mixture: tuple[tuple[float, float], ...]) -> Floats:
    """Running total of the chances of 1, 2, 3 … views."""
    chances = []
    parts = [share * (1 - go_on) for share, go_on in mixture]
    for _ in range(_MOST_VIEWS):
        chances.append(sum(parts))
        parts = [part * go_on for part, (_, go_on) in zip(parts, mixture, strict=True)]
    total: Floats = np.cumsum(chances)
    return np.asarray(total / total[-1], dtype=np.float64)


class Sessions:
    """Makes the sessions of a store, a stretch of time after another."""

    def __init__(self, catalogue: Catalogue, traffic: Traffic, visitors: Visitors) -> None:
        """Take what the store sells, when visitors come and who they are."""
        self._catalogue = catalogue
        self._traffic = traffic
        self._visitors = visitors
        self._browse = _lengths(_BROWSE)
        self._decide = _lengths(_DECIDE)

    def between(self, first_minute: int, end_minute: int, count: int, robots: int, rng: np.random.Generator) -> Columns:
        """The events of `count` sessions that start within the minutes, `robots` of them robots; not in time order."""
        goods = self._catalogue
        start = self._traffic.starts(first_minute, end_minute, count, rng)
        user, is_first = self._visitors.next(count, rng)
        category = self._category(user, rng)
        focus = goods.draw(category, rng.random(count))

        keen = np.where(trait(user, 1) < _KEEN_SHARE, _KEEN, _CASUAL)
        chance = _CONVERTS * goods.conversion[category] * keen * self._traffic.conversion[start // 60]
        converts = (rng.random(count) < chance) & (goods.cents[focus, 0] > 0)
        way = rng.random(count)
        carts = converts & (way >= _PURCHASE_ONLY)
        buys = converts & ((way < _PURCHASE_ONLY) | (way >= _PURCHASE_ONLY + _CART_ONLY))

        u = rng.random(count)
        views = 1 + np.where(converts, np.searchsorted(self._decide, u), np.searchsorted(self._browse, u))
        robot = np.zeros(count, dtype=np.int64)
        chosen = rng.permutation(count)[:robots]
        robot[chosen] = np.where(rng.random(len(chosen)) < 0.3, _WATCHER, _READER)
        views[chosen] = rng.integers(150, 420, len(chosen))
        carts &= robot == 0
        buys &= robot == 0

        walk = self._walk(category, focus, views, robot, rng)
        ends = self._ends(category, focus, views, carts, buys, rng)
        session, place, kind, product = (np.concatenate(parts) for parts in zip(walk, ends, strict=True))
        order = np.argsort(session * (_STEP * 512) + place, kind="stable")
        session, kind, product = session[order], kind[order], product[order]

        bits = rng.integers(0, 2**64, (count, 2), dtype=np.uint64)
        # What a random UUID looks like: version 4, variant 1.
        bits[:, 0] = bits[:, 0] & np.uint64(0xFFFFFFFFFFFF0FFF) | np.uint64(0x4000)
        bits[:, 1] = bits[:, 1] & np.uint64(0x3FFFFFFFFFFFFFFF) | np.uint64(0x8000000000000000)
        # Only a user's first session may lack its name, so that no two such events can be the same row.
        named = ~(is_first & (rng.random(count) < _NO_SESSION) & (robot == 0))
        return Columns(
            time=self._times(start, session, robot, rng),
            kind=kind,
            product=product,
            user_id=self._visitors.user_id(user)[session],
            session=bits[session],
            named=named[session],
        )

    def _category(self, user: Ints, rng: np.random.Generator) -> Ints:
        """What each session is about: often what its user always comes for."""
        u = np.where(rng.random(len(user)) < _SAME_CATEGORY_AGAIN, trait(user, 2), rng.random(len(user)))
        return np.searchsorted(self._catalogue.sessions[:-1], u, side="right")

    def _walk(
        self, category: Ints, focus: Ints, views: Ints, robot: Ints, rng: np.random.Generator
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """The views of every session: session, place, kind, product."""
        goods = self._catalogue
        session = np.repeat(np.arange(len(views)), views)
        step = np.arange(len(session)) - np.repeat(np.cumsum(views) - views, views)
        total = len(session)
        where = rng.random(total)
        where[step == 0] = 0
        # One kind of robot reads the whole catalogue, the other watches one product.
        kind_of_robot = robot[session]
        where[kind_of_robot == _READER] = 1
        where[kind_of_robot == _WATCHER] = 0
        product = focus[session]
        near = np.flatnonzero((where >= _FOCUS) & (where < _NEAR))
        product[near] = goods.draw(category[session[near]], rng.random(len(near)))
        beside = np.flatnonzero((where >= _NEAR) & (where < _BESIDE))
        product[beside] = goods.companions[product[beside], rng.integers(0, 2, len(beside))]
        far = np.flatnonzero(where >= _BESIDE)
        anywhere = np.searchsorted(goods.sessions[:-1], rng.random(len(far)), side="right")
        product[far] = goods.draw(anywhere, rng.random(len(far)))
        # Some views show the product of the view before once more.
        again = (rng.random(total) < _AGAIN) & (step > 0) & (kind_of_robot == 0)
        product = product[np.maximum.accumulate(np.where(again, 0, np.arange(total)))]
        return session, step * _STEP, np.full(total, VIEW), product

    def _ends(
        self, category: Ints, focus: Ints, views: Ints, carts: Flags, buys: Flags, rng: np.random.Generator
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """What the sessions that convert do beside their walk: session, place, kind, product."""
        goods = self._catalogue
        who = np.flatnonzero(carts | buys)
        size = len(who)
        cart, buy = carts[who], buys[who]
        item = focus[who]
        cart_step = (rng.random(size) * views[who]).astype(np.int64)
        buy_step = cart_step + (rng.random(size) * (views[who] - cart_step)).astype(np.int64)
        other = goods.companions[item, (rng.random(size) < _OTHER_COMPANION).astype(np.int64)]
        alternative = goods.draw(category[who], rng.random(size))
        with_other = (rng.random(size) < _COMPANION) & (other != item)
        with_alternative = cart & (rng.random(size) < _ALTERNATIVE) & (goods.cents[alternative, 0] > 0)
        buys_other = buy & with_other & (rng.random(size) < _BUYS_COMPANION)
        acts = (
            (cart, cart_step, _AT_CART, CART, item),
            (cart & (rng.random(size) < _SECOND_PIECE), cart_step, _AT_SECOND, CART, item),
            (with_other, cart_step, _AT_COMPANION, VIEW, other),
            (with_other & cart, cart_step, _AT_COMPANION_CART, CART, other),
            (with_alternative, cart_step, _AT_OTHER, VIEW, alternative),
            (with_alternative, cart_step, _AT_OTHER_CART, CART, alternative),
            (buy, buy_step, _AT_PURCHASE, PURCHASE, item),
            (buys_other, buy_step, _AT_COMPANION_PURCHASE, PURCHASE, other),
            (buy & (rng.random(size) < _BUYS_AGAIN), buy_step, _AT_AGAIN, PURCHASE, item),
        )
        return (
            np.concatenate([who[does] for does, *_ in acts]),
            np.concatenate([step[does] * _STEP + place for does, step, place, *_ in acts]),
            np.concatenate([np.full(np.count_nonzero(does), kind) for does, _, _, kind, _ in acts]),
            np.concatenate([product[does] for does, *_, product in acts]),
        )

    def _times(self, start: Ints, session: Ints, robot: Ints, rng: np.random.Generator) -> Ints:
        """The second of every event: at least one second apart within a session, so that no two rows are equal."""
        u = rng.random(len(session))
        # Log-logistic with the real gaps' quartiles: 18, 33 and 62 seconds.
        gap = 1 + np.minimum(32 * np.sqrt(u / (1 - u)), 1200).astype(np.int64)
        pause = np.flatnonzero(rng.random(len(session)) < _PAUSE)
        long = rng.random(len(pause))
        gap[pause] = 1800 + (long * long * 27_000).astype(np.int64)
        hasty = np.flatnonzero(robot[session])
        gap[hasty] = 1 + (u[hasty] < 0.3)
        opens = np.flatnonzero(np.diff(session, prepend=-1))
        gap[opens] = 0
        since = np.cumsum(gap)
        times: Ints = start[session] + since - np.repeat(since[opens], np.diff(opens, append=len(session)))
        return times
