"""Weekly retention

Of the visitors who came for the first time in a week, how many are active in the weeks after? A visitor's cohort is
the ISO week (from Monday, UTC) of the first event of any type. Every cohort has a row for each week up to the last of
the data, also where nobody came back.

Asked by: product management, marketing.

Columns:
- cohort_week: the Monday of the week of the first event
- weeks_later [weeks]: 0 for that week itself
- cohort_users [users]: visitors in the cohort
- active_users [users]: those with an event in the week
- retention [0 to 1]: active_users / cohort_users
"""

import ibis
import ibis.expr.types as ir

from app.analytics.facts import user_days
from app.analytics.measures import exactly, monday, numbers, rate, week_number

DIGITS_OF_WEEKS = 4
"""The most weeks without a visit that are listed: 9,999, which is 191 years."""


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    days = user_days(events)
    weeks = days.select("user_id", week=week_number(days.event_date))
    weeks = weeks.mutate(cohort=weeks.week.min().over(ibis.window(group_by="user_id")))
    active = weeks.group_by("cohort", "week").agg(active_users=weeks.user_id.nunique())

    # A cohort's weeks without a visit follow on the last week with one: as many as there are before the next.
    cohort = ibis.window(group_by="cohort", order_by="week")
    active = active.mutate(
        cohort_users=active.active_users.first().over(cohort),
        next_week=active.week.lead(1).over(cohort),
        end=active.week.max().over(ibis.window()) + 1,
    )
    grid = active.cross_join(numbers(DIGITS_OF_WEEKS))
    grid = grid.filter(grid.number < grid.next_week.coalesce(grid.end) - grid.week)
    found = grid.select(
        "cohort_users",
        cohort_week=monday(grid.cohort),
        weeks_later=exactly(grid.week - grid.cohort + grid.number, "int64"),
        active_users=ibis.cases((grid.number == 0, grid.active_users), else_=0),
    )
    return found.select(
        "cohort_week",
        "weeks_later",
        "cohort_users",
        "active_users",
        retention=rate(found.active_users, found.cohort_users),
    ).order_by("cohort_week", "weeks_later")
