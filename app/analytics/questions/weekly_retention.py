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
from app.analytics.measures import monday, numbers, rate, week_number


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    days = user_days(events)
    weeks = days.select("user_id", week=week_number(days.event_date)).distinct()
    active = weeks.mutate(cohort=weeks.week.min().over(ibis.window(group_by="user_id")))
    active = active.group_by("cohort", "week").agg(active_users=active.count())

    # The whole cohort is active in its first week.
    cohorts = active.mutate(last=active.week.max().over(ibis.window()))
    cohorts = cohorts.filter(cohorts.week == cohorts.cohort).select("cohort", "last", cohort_users="active_users")
    grid = cohorts.cross_join(numbers()).select("cohort", "last", "cohort_users", weeks_later="number")
    grid = grid.filter(grid.weeks_later <= grid["last"] - grid.cohort)
    active = active.select("cohort", "active_users", weeks_later=active.week - active.cohort)
    found = grid.left_join(active, ["cohort", "weeks_later"])
    found = found.select(
        "weeks_later",
        "cohort_users",
        cohort_week=monday(found.cohort),
        active_users=found.active_users.fill_null(0),
    )
    return found.select(
        "cohort_week",
        "weeks_later",
        "cohort_users",
        "active_users",
        retention=rate(found.active_users, found.cohort_users),
    ).order_by("cohort_week", "weeks_later")
