"""Weekly retention

Of the visitors who came for the first time in a week, how many are active in the weeks after? A visitor's cohort is
the ISO week (from Monday, UTC) of the first event of any type. Every cohort has a row for each of its first 104 weeks
(two years) up to the last of the data, also where nobody came back.

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

WEEKS = 104
"""The weeks of a cohort that are listed: without a limit they are as many as the square of the weeks in the data."""
DIGITS_OF_WEEKS = 3


def answer(events: ir.Table) -> ir.Table:
    """Answer the question from the events."""
    days = user_days(events)
    weeks = days.select("user_id", week=week_number(days.event_date))
    weeks = weeks.mutate(cohort=weeks.week.min().over(ibis.window(group_by="user_id")))
    weeks = weeks.mutate(weeks_later=weeks.week - weeks.cohort, last_week=weeks.week.max().over(ibis.window()))
    active = (
        weeks.filter(weeks.weeks_later < WEEKS)
        .group_by("cohort", "weeks_later")
        .agg(active_users=weeks.user_id.nunique(), last_week=weeks.last_week.max())
    )
    cohorts = active.filter(active.weeks_later == 0)
    cohorts = cohorts.select("cohort", "last_week", cohort_users=cohorts.active_users)

    later = numbers(DIGITS_OF_WEEKS).rename(weeks_later="number")
    grid = cohorts.cross_join(later.filter(later.weeks_later < WEEKS))
    grid = grid.filter(grid.weeks_later <= grid.last_week - grid.cohort)
    found = grid.left_join(active.select("cohort", "weeks_later", "active_users"), ["cohort", "weeks_later"])
    found = found.select(
        "weeks_later",
        "cohort_users",
        cohort_week=monday(found.cohort),
        active_users=exactly(found.active_users.fill_null(0), "int64"),
    )
    return found.select(
        "cohort_week",
        "weeks_later",
        "cohort_users",
        "active_users",
        retention=rate(found.active_users, found.cohort_users),
    ).order_by("cohort_week", "weeks_later")
