"""Facts that several questions share. An engine may store a fact once and answer every question from it.

    events ─┬─ activity
            ├─ user_days
            ├─ viewers
            ├─ purchases
            ├─ acts ─────────────────────────┬─────────── baskets
            └─ half_hours ─ session_parts ─┬─┴─────────── suspects
                                           └─ session_days ─ sessions

Sessions are exact and yet cheap to find: events of a session in the same half-hour are less than 30 minutes apart, so
they belong together whatever lies between. Only the gaps between half-hours need looking at, several times fewer than
the gaps between events; and half-hours say which session an event belongs to, by equality alone.

The time for a fact grows in proportion to the events, whatever they are: all of them may bear the same session key.

A fact with a `merge` can be made from parts of the events, each part where it is, and be put together afterwards. One
`of_sessions` can be made from parts of the events that have whole sessions.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from app.analytics.measures import cents, count_if, exactly, money, seconds_between, total
from app.events.schema import EVENTS, SESSION_GAP_MINUTES
from app.events.session_key import OF_NAME, OF_USER

FAST_EVENTS: Final = 10
FAST_EVENTS_PER_MINUTE: Final = 6
"""A session of so many events, at so many a minute, is too fast for a visitor."""

LONG_EVENTS: Final = 30
"""A session of so many events is long enough to ask whether all were on one product."""

BASKET_PRODUCTS: Final = 100
"""So many different products of a session count as bought together; the pairs of all would be as their square."""

_COUNTS: Final = {"views": "view", "carts": "cart", "purchases": "purchase", "removals": "remove_from_cart"}
_VALUES: Final = {"revenue_cents": "purchase", "cart_cents": "cart", "removed_cents": "remove_from_cart"}
_HALF_HOUR_SECONDS: Final = 1_800
UNCATEGORISED: Final = "uncategorised"
"""Stands for the department or sub-category of a product that has none."""


@dataclass(frozen=True)
class Fact:
    """A shared intermediate result: `build` makes it from the events."""

    name: str
    description: str
    build: Callable[[ir.Table], ir.Table]
    merge: Callable[[ir.Table], ir.Table] | None = None
    """Makes the fact of all events from the rows of the facts of their parts, where that can be done."""
    of_sessions: bool = False
    """Whether its rows are each of one session: those of all events are then those of parts with whole sessions."""
    is_step: bool = False
    """Whether it only serves to make other facts."""

    @cached_property
    def schema(self) -> pa.Schema:
        """The fact's Arrow schema."""
        return self.build(ibis.table(ibis.Schema.from_pyarrow(EVENTS), name="events")).schema().to_pyarrow()


def session_key(events: ir.Table) -> Any:
    """Name the session that an event belongs to, as `app.events.session_key` does."""
    named = events.user_session.startswith(OF_USER).ifelse(
        ibis.literal(OF_NAME) + events.user_session, events.user_session
    )
    return named.coalesce(ibis.literal(OF_USER) + events.user_id.cast("string"))


def half_hours(events: ir.Table) -> ir.Table:
    """One row, or several, a session key and half-hour in which it has events.

    session_key, half_hour (numbered from 1970), first_time, last_time, user_id (the smallest, should there be several),
    events, views, carts, purchases, removals [events], revenue_cents, cart_cents, removed_cents [sum of prices in whole
    cents].
    """
    acts = events.select(
        "event_time",
        "event_type",
        "user_id",
        session_key=session_key(events),
        half_hour=_half_hour(events.event_time),
        cents=cents(events.price),
    )
    return acts.group_by("session_key", "half_hour").agg(
        first_time=acts.event_time.min(),
        last_time=acts.event_time.max(),
        user_id=acts.user_id.min(),
        events=acts.count(),
        **{name: count_if(acts.event_type == event_type) for name, event_type in _COUNTS.items()},
        **{name: total(acts.cents, where=acts.event_type == event_type) for name, event_type in _VALUES.items()},
    )


def session_parts(events: ir.Table) -> ir.Table:
    """Half-hours with the session that they are of: columns of `half_hours`, and session_start (with the key the
    session's identity).
    """
    return number_sessions(half_hours(events), "first_time", "last_time")


def session_days(events: ir.Table) -> ir.Table:
    """One row a session and day (UTC) on which it has events.

    session_key, session_start (with the key the session's identity), event_date, last_time, user_id (the smallest,
    should there be several), events, views, carts, purchases, removals [events], revenue_cents, cart_cents,
    removed_cents [sum of prices in whole cents].
    """
    numbered = session_parts(events)
    numbered = numbered.mutate(event_date=numbered.first_time.date())
    return numbered.group_by("session_key", "session_start", "event_date").agg(
        last_time=numbered.last_time.max(),
        user_id=numbered.user_id.min(),
        **{name: total(numbered[name]) for name in ("events", *_COUNTS, *_VALUES)},
    )


def number_sessions(parts: ir.Table, first_time: str, last_time: str) -> ir.Table:
    """Add `session_start` to rows that each span a part of a session, by gaps and islands.

    Rows of a key are one session until a row starts 30 minutes or more after the latest end so far.
    """
    earlier = ibis.window(group_by="session_key", order_by=first_time, preceding=(None, 1))
    latest_end = parts[last_time].max().over(earlier)
    gap = ibis.interval(minutes=SESSION_GAP_MINUTES)
    opens = latest_end.isnull() | (parts[first_time] >= latest_end + gap)
    marked = parts.mutate(opened=ibis.cases((opens, parts[first_time])))
    # A range, not rows: rows with an equal first_time are one session, whichever of them is sorted first.
    so_far = ibis.range_window(group_by="session_key", order_by=first_time, preceding=None, following=0)
    return marked.mutate(session_start=marked.opened.max().over(so_far)).select(*parts.columns, "session_start")


def sessions(events: ir.Table) -> ir.Table:
    """One row a session.

    session_key, session_start, session_end, user_id (the smallest, should there be several), events, views, carts,
    purchases, removals [events], revenue, cart_value, removed_value [money].
    """
    days = session_days(events)
    whole = days.group_by("session_key", "session_start").agg(
        session_end=days.last_time.max(),
        user_id=days.user_id.min(),
        **{name: total(days[name]) for name in ("events", *_COUNTS, *_VALUES)},
    )
    return whole.select(
        "session_key",
        "session_start",
        "session_end",
        "user_id",
        "events",
        *_COUNTS,
        revenue=money(whole.revenue_cents),
        cart_value=money(whole.cart_cents),
        removed_value=money(whole.removed_cents),
    )


def baskets(events: ir.Table) -> ir.Table:
    """One row a session and product bought in it, of the `BASKET_PRODUCTS` products that the session bought first (the
    smaller id where equal): session_key, session_start, product_id.
    """
    parts = session_parts(events)
    done = acts(events)
    bought = in_sessions(done.filter(done.is_purchase), parts.filter(parts.purchases > 0))
    products = bought.group_by("session_key", "session_start", "product_id").agg(first_time=bought.event_time.min())
    in_order = ibis.window(group_by=["session_key", "session_start"], order_by=["first_time", "product_id"])
    products = products.mutate(place=ibis.row_number().over(in_order))
    return products.filter(products.place < BASKET_PRODUCTS).select("session_key", "session_start", "product_id")


def acts(events: ir.Table) -> ir.Table:
    """One row an event: session_key, event_time, product_id, is_purchase (boolean)."""
    return events.select(
        "event_time", "product_id", session_key=session_key(events), is_purchase=events.event_type == "purchase"
    )


def suspects(events: ir.Table) -> ir.Table:
    """One row a session that is fast or long enough to be a bot's; `bot_sessions` decides.

    session_key, session_start, session_end, user_id, events [events], seconds [seconds], too_fast (boolean),
    products [different products].
    """
    visited = sessions(events)
    visited = visited.select(
        "session_key",
        "session_start",
        "session_end",
        "user_id",
        "events",
        seconds=seconds_between(visited.session_start, visited.session_end),
    )
    visited = visited.mutate(
        too_fast=(visited.events >= FAST_EVENTS)
        & (visited.events * 60 >= ibis.greatest(visited.seconds, 1) * FAST_EVENTS_PER_MINUTE)
    )
    found = visited.filter(visited.too_fast | (visited.events >= LONG_EVENTS))
    parts = session_parts(events).select("session_key", "session_start", "half_hour")
    seen = in_sessions(acts(events), parts.join(found, ["session_key", "session_start"]))
    return seen.group_by(found.columns).agg(products=seen.product_id.nunique())


def in_sessions(acts: ir.Table, parts: ir.Table) -> ir.Table:
    """Join acts (session_key, event_time, ...) with the parts of sessions (session_key, half_hour, ...) that they are
    in. A part may stand there several times, and its acts then do.
    """
    acts = acts.mutate(half_hour=_half_hour(acts.event_time))
    return acts.join(parts, ["session_key", "half_hour"])


def _half_hour(time: Any) -> Any:
    """Number the half-hours from 1970."""
    return time.epoch_seconds() // _HALF_HOUR_SECONDS


def user_days(events: ir.Table) -> ir.Table:
    """One row a user, day (UTC) and event type: user_id, event_date, event_type, events [events]."""
    acts = events.select("user_id", "event_type", event_date=events.event_time.date())
    return acts.group_by("user_id", "event_date", "event_type").agg(events=acts.count())


def viewers(events: ir.Table) -> ir.Table:
    """One row a user and sub-category that the user viewed: user_id, department, sub_category, views [events]."""
    viewed = events.filter(events.event_type == "view", events.sub_category.notnull())
    return viewed.group_by("user_id", "department", "sub_category").agg(views=viewed.count())


def activity(events: ir.Table) -> ir.Table:
    """One row a day, hour, event type, department and sub-category.

    event_date, hour (0 to 23), event_type, department, sub_category, events [events], cents [sum of prices].
    """
    acts = events.select(
        "event_type",
        "department",
        "sub_category",
        event_date=events.event_time.date(),
        hour=exactly(events.event_time.hour(), "int64"),
        cents=cents(events.price),
    )
    return acts.group_by("event_date", "hour", "event_type", "department", "sub_category").agg(
        events=acts.count(), cents=total(acts.cents)
    )


def sub_category_volumes(events: ir.Table) -> ir.Table:
    """One row a sub-category, `UNCATEGORISED` included: department, sub_category, events, views, carts, purchases."""
    acts = activity(events)
    named = acts.mutate(
        department=acts.department.coalesce(UNCATEGORISED), sub_category=acts.sub_category.coalesce(UNCATEGORISED)
    )
    return named.group_by("department", "sub_category").agg(
        events=total(named.events),
        views=total(named.events, where=named.event_type == "view"),
        carts=total(named.events, where=named.event_type == "cart"),
        purchases=total(named.events, where=named.event_type == "purchase"),
    )


def purchases(events: ir.Table) -> ir.Table:
    """One row a purchase.

    event_time, event_date, session_key, user_id, product_id, department, sub_category, product, brand, cents.
    """
    bought = events.filter(events.event_type == "purchase")
    return bought.select(
        "event_time",
        "user_id",
        "product_id",
        "department",
        "sub_category",
        "product",
        "brand",
        event_date=bought.event_time.date(),
        session_key=session_key(bought),
        cents=cents(bought.price),
    )


@dataclass(frozen=True)
class Sums:
    """Merges by adding up values by all other columns, the keys."""

    values: tuple[str, ...]

    def __call__(self, parts: ir.Table) -> ir.Table:
        """Add them up."""
        keys = self.keys_of(parts.columns)
        return parts.group_by(keys).agg(**{name: total(parts[name]) for name in self.values})

    def keys_of(self, columns: Iterable[str]) -> list[str]:
        """The keys among a fact's columns."""
        return [name for name in columns if name not in self.values]


def as_they_are(parts: ir.Table) -> ir.Table:
    """Merge by taking all rows as they are."""
    return parts


FACTS: Final[dict[str, Fact]] = {
    fact.name: fact
    for fact in (
        Fact(
            "activity",
            "events and prices by day, hour, event type and sub-category",
            activity,
            Sums(("events", "cents")),
        ),
        Fact("user_days", "what a user did on a day", user_days, Sums(("events",))),
        Fact("viewers", "who viewed which sub-category", viewers, Sums(("views",))),
        Fact("purchases", "every purchase", purchases, as_they_are),
        Fact(
            "half_hours", "what a session did in half an hour", half_hours, as_they_are, of_sessions=True, is_step=True
        ),
        Fact("acts", "every event by its session", acts, as_they_are, of_sessions=True, is_step=True),
        Fact("session_parts", "half-hours by session", session_parts, of_sessions=True, is_step=True),
        Fact("session_days", "every session by day, with its counts and values", session_days, of_sessions=True),
        Fact("sessions", "every session with its counts and values", sessions, of_sessions=True),
        Fact("suspects", "sessions that may be a bot's", suspects, of_sessions=True),
        Fact("baskets", "which products each session bought", baskets, of_sessions=True),
    )
}
"""Every fact, each after those that it is built from."""
