"""An estimate, and the difference between two, as text and as Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from infra.cost.estimate import CAUTION, Change, Estimate, changes


def as_text(estimate: Estimate) -> str:
    """The estimate line by line, for a terminal."""
    rows = [
        (line.component, line.item, f"{line.quantity:,.2f} {line.unit}".strip(), _usd(line.usd), line.why)
        for line in sorted(estimate.lines, key=lambda line: (line.component, -(line.usd or 0)))
    ]
    sums = [(component, "", "", _usd(usd), "") for component, usd in estimate.by_component().items()]
    table = _columns([("component", "item", "quantity", "USD a month", "why"), *rows])
    return "\n".join(
        [
            f"{estimate.environment}: about {_usd(estimate.usd)} USD a month (prices of {estimate.prices_of})",
            "",
            *table,
            "",
            *_columns([("component", "", "", "USD a month", ""), *sums]),
            "",
            *_missing(estimate),
            CAUTION,
        ]
    )


def changes_as_text(before: Estimate, after: Estimate) -> str:
    """What becomes dearer or cheaper, for a terminal."""
    head = (
        f"{after.environment}: {_usd(before.usd)} -> {_usd(after.usd)} USD a month ({_signed(after.usd - before.usd)})"
    )
    rows = [
        (one.component, one.item, _usd(one.before), _usd(one.after), _signed(one.usd)) for one in changes(before, after)
    ]
    return "\n".join([head, *(_columns([("component", "item", "before", "after", "change"), *rows]) if rows else ())])


def changes_as_markdown(before: Estimate, after: Estimate) -> str:
    """What becomes dearer or cheaper, for a comment on a pull request."""
    found = changes(before, after)
    head = f"about **{_usd(after.usd)} USD a month**"
    if not found:
        return f"{head}, unchanged"
    table = ["| | | before | after | change |", "| --- | --- | ---: | ---: | ---: |", *map(_markdown_row, found)]
    return "\n".join([f"{head} (**{_signed(after.usd - before.usd)}**)", "", *table])


def _markdown_row(one: Change) -> str:
    return f"| {one.component} | {one.item} | {_usd(one.before)} | {_usd(one.after)} | {_signed(one.usd)} |"


def _missing(estimate: Estimate) -> Iterator[str]:
    if estimate.without_price:
        names = ", ".join(dict.fromkeys(line.sku for line in estimate.without_price))
        yield f"Without a price here, and so missing in the sum: {names}"


def _usd(value: float | None) -> str:
    return "?" if value is None else f"{value:,.2f}"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0:+,.2f}"


def _columns(rows: Iterable[Sequence[str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    numeric = {place for place, title in enumerate(rows[0]) if title in {"quantity", "USD a month", "before", "after"}}
    return [
        "  ".join(
            cell.rjust(width) if place in numeric else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
