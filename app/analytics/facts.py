"""Facts that several questions share. An engine may store a fact once and answer every question from it.

    events ── visits ── sessions
       │         └───── user_days
       ├─ activity
       └─ purchases

A visit is what one user did of one type in one sub-category in one half-hour of a session. Events of a session in
the same half-hour are less than 30 minutes apart, so they belong together whatever lies between: sessions are found
by looking at the gaps between visits, which are several times fewer than events, and the result is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ibis
import ibis.expr.types as ir

from app.analytics.measures import cents, exactly, money, total

SESSION_GAP_MINUTES: Final = 30
"""A session ends when the visitor is silent for so long; the next event begins another one."""

UNCATEGORISED: Final = "uncategorised"
"""Stands for the department or sub-category of a product that has none."""


@dataclass(frozen=True)
class Fact:
    """A shared intermediate result: `build` makes it from the events."""

    name: str
    description: str
    build: Callable[[ir.Table], ir.Table]


def session_key(events: ir.Table) -> Any:
    """Name the session that an event belongs to: the site's name for it, or the user where that is missing."""
    return events.user_session.coalesce(ibis.literal("user:") + events.user_id.cast("string"))


def visits(events: ir.Table) -> ir.Table:
    """One row a session, user, day, half-hour, event type, department and sub-category.

    session_key, session_start (the session's identity), user_id, event_date, event_type, department, sub_category,
    first_time, last_time, events [events], cents [sum of prices, whole cents].
    """
    acts = events.select(
        "user_id",
        "event_type",
        "department",
        "sub_category",
        "event_time",
        session_key=session_key(events),
        event_date=events.event_time.date(),
        half_hour=events.event_time.hour() * 2 + events.event_time.minute() // 30,
        cents=cents(events.price),
    )
    parts = acts.group_by(
        "session_key", "user_id", "event_date", "half_hour", "event_type", "department", "sub_category"
    ).agg(
        first_time=acts.event_time.min(),
        last_time=acts.event_time.max(),
        events=acts.count(),
        cents=total(acts.cents),
    )
    return number_sessions(parts, "first_time", "last_time").drop("half_hour")


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
    return marked.mutate(session_start=marked.opened.max().over(so_far)).drop("opened")


def sessions(events: ir.Table) -> ir.Table:
    """One row a session.

    session_key, session_start, session_end, user_id (the smallest, should a session have several), events, views,
    carts, purchases, removals [events], revenue, cart_value, removed_value [money].
    """
    parts = visits(events)

    def count(event_type: str) -> Any:
        return total(parts.events, where=parts.event_type == event_type)

    def value(event_type: str) -> Any:
        return money(total(parts.cents, where=parts.event_type == event_type))

    return parts.group_by("session_key", "session_start").agg(
        session_end=parts.last_time.max(),
        user_id=parts.user_id.min(),
        events=total(parts.events),
        views=count("view"),
        carts=count("cart"),
        purchases=count("purchase"),
        removals=count("remove_from_cart"),
        revenue=value("purchase"),
        cart_value=value("cart"),
        removed_value=value("remove_from_cart"),
    )


def in_sessions(acts: ir.Table, visited: ir.Table) -> ir.Table:
    """Join acts (session_key, event_time, ...) with the sessions (session_key, session_start, session_end, ...) they
    belong to.
    """
    return acts.join(
        visited,
        [
            acts.session_key == visited.session_key,
            acts.event_time >= visited.session_start,
            acts.event_time <= visited.session_end,
        ],
    )


def user_days(events: ir.Table) -> ir.Table:
    """One row a user, day and event type: user_id, event_date, event_type, events [events]."""
    parts = visits(events)
    return parts.group_by("user_id", "event_date", "event_type").agg(events=total(parts.events))


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


FACTS: Final[dict[str, Fact]] = {
    fact.name: fact
    for fact in (
        Fact("activity", "events and prices by day, hour, event type and sub-category", activity),
        Fact("purchases", "every purchase", purchases),
        Fact("visits", "what a user did in a half-hour of a session, by event type and sub-category", visits),
        Fact("sessions", "every session with its counts and values", sessions),
        Fact("user_days", "on which days a user did what", user_days),
    )
}
"""Every fact, each after those that it is built from."""
