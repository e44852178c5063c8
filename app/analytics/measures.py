"""Arithmetic that gives the same value on every engine.

Engines differ in what they do with decimals (precision, overflow, division) and with division by zero. So money is
summed as whole cents in int64 (exact up to 92 quadrillion, an error beyond), becomes decimal once at the end, and a
rate is one IEEE division of two exact integers, NULL where the denominator is 0.
"""

from decimal import Decimal
from typing import Any, Final

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

MONEY: Final = "decimal(38, 2)"
"""The type of a sum of money in an answer."""

_CENT: Final = ibis.literal(Decimal("0.01"), "decimal(3, 2)")
_WEEK: Final = 7
_FIRST_MONDAY: Final = ibis.date("1970-01-05")


def exactly(value: Any, type_: str) -> Any:
    """Cast in SQL too where Ibis believes that the type is right already.

    DuckDB sums int64 to a 128 bit integer and Spark truncates a date to a timestamp; Ibis leaves out such a cast.
    """
    return ops.Cast(value, type_).to_expr()


def total(value: Any, where: Any = None) -> Any:
    """Sum int64 values: int64, 0 where there is nothing to sum."""
    return exactly(value.sum(where=where).fill_null(0), "int64")


def count_if(condition: Any) -> Any:
    """Count rows where the condition holds: int64, 0 where there are none."""
    return exactly(condition.sum().fill_null(0), "int64")


def rank_by(*order: Any) -> Any:
    """Number rows from 1 in an order, which must be unique (int64)."""
    return exactly(ibis.row_number().over(ibis.window(order_by=order)) + 1, "int64")


def cents(price: Any) -> Any:
    """Whole cents (int64) of a price with two decimal places."""
    return (price * 100).cast("int64")


def money(whole_cents: Any) -> Any:
    """Money of type `MONEY` from whole cents (int64)."""
    return (whole_cents * _CENT).cast(MONEY)


def rate(numerator: Any, denominator: Any) -> Any:
    """Divide two integers as float64; NULL where the denominator is 0."""
    return numerator.cast("float64") / denominator.nullif(0).cast("float64")


def share(value: Any) -> Any:
    """Divide each row's value (int64) by the sum over all rows: float64 from 0 to 1."""
    return rate(value, exactly(value.sum().over(ibis.window()), "int64"))


def mean_money(whole_cents: Any, count: Any) -> Any:
    """Mean in the store's currency (float64) of a sum in whole cents."""
    return rate(whole_cents, count * 100)


def seconds_between(start: Any, end: Any) -> Any:
    """Count seconds of the clock from start to end, fractions of a second cut off both (int64)."""
    return exactly(end.truncate("s").epoch_seconds() - start.truncate("s").epoch_seconds(), "int64")


def week_number(day: Any) -> Any:
    """Number the ISO week (from Monday) of a day, counted from the one that begins on 1970-01-05 (int64)."""
    return exactly(day.delta(_FIRST_MONDAY, unit="day") // _WEEK, "int64")


def monday(week: Any) -> Any:
    """Give the day (date) on which the week of a `week_number` begins."""
    return exactly(_FIRST_MONDAY + (week * _WEEK).as_interval("D"), "date")


def numbers(digits: int) -> ir.Table:
    """Make the table of the integers of so many digits (2: 0 to 99) in a column `number`.

    Put together from digits, because what Ibis makes of a range for BigQuery compares each number with each.
    """
    table = ones = ibis.array([ibis.literal(one, "int64") for one in range(10)]).unnest().name("number").as_table()
    for power in range(1, digits):
        place = ones.rename(place="number")
        table = table.cross_join(place).select(number=lambda t, power=power: t.number + t.place * 10**power)
    return table


def days_and_after(days: ir.Table, count: int) -> ir.Table:
    """List the days of a table with the one column `event_date`, and the `count` (at most 9) after each up to the last.

    So a silence of years costs no more than one of days.
    """
    after = numbers(1)
    last = days.agg(last_day=days.event_date.max())
    found = days.cross_join(after.filter(after.number <= count)).cross_join(last)
    found = found.select("last_day", day=found.event_date + found.number.as_interval("D"))
    return found.filter(found.day <= found.last_day).select(event_date=exactly(found.day, "date")).distinct()
