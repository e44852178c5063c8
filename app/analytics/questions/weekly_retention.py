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

import ibis.expr.types as ir

from app.analytics.facts import user_days
from app.analytics.measures import numbers, rate, week_of, weeks_between


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    days = user_days(events)
    weeks = days.select("user_id", week=week_of(days.event_date)).distinct()
    firsts = weeks.group_by("user_id").agg(cohort_week=weeks.week.min())
    active = weeks.join(firsts, "user_id")
    active = active.select("cohort_week", weeks_later=weeks_between(active.cohort_week, active.week))
    active = active.group_by("cohort_week", "weeks_later").agg(active_users=active.count())
    cohorts = firsts.group_by("cohort_week").agg(cohort_users=firsts.count())
    last = weeks.agg(last_week=weeks.week.max())

    grid = cohorts.cross_join(last).cross_join(numbers())
    grid = grid.filter(grid.number <= weeks_between(grid.cohort_week, grid.last_week))
    grid = grid.select("cohort_week", "cohort_users", weeks_later=grid.number)
    found = grid.left_join(active, ["cohort_week", "weeks_later"])
    found = found.select("cohort_week", "weeks_later", "cohort_users", active_users=found.active_users.fill_null(0))
    return found.mutate(retention=rate(found.active_users, found.cohort_users)).order_by("cohort_week", "weeks_later")
