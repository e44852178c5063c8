"""What the rules alone say of rows, read one by one, and whether the codec found the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from app.events.csv_codec import Block, Decoded
from app.events.csv_row import BadRowError, Row, read_row
from app.events.identity import canonical_row, event_ids
from app.events.layout import CANONICAL
from app.events.schema import EVENTS, RAW_COLUMNS


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a row."""

    source: str
    number: int
    raw: bytes
    row: Row | None
    fault: BadRowError | None


def judged(blocks: Sequence[Block]) -> list[Verdict]:
    """The rows of blocks, read one by one."""
    found = []
    for block in blocks:
        lines = block.data.split(b"\n")[:-1]
        for number, line in enumerate(lines, block.first_row):
            raw = line.removesuffix(b"\r")
            try:
                row = read_row(block.layout.canonical_row(raw) if block.layout is not CANONICAL else raw, block.bounds)
            except BadRowError as fault:
                found.append(Verdict(block.source, number, raw, None, fault))
            else:
                found.append(Verdict(block.source, number, raw, row, None))
    return found


def compare(decoded: Decoded, verdicts: Sequence[Verdict]) -> None:
    """Raise AssertionError where the codec found something else than the rules say."""
    good = [(verdict, verdict.row) for verdict in verdicts if verdict.row]
    bad = [(verdict, verdict.fault) for verdict in verdicts if verdict.fault]
    _same("rows", [decoded.rows], [len(verdicts)])
    _same("the ledger", [len(decoded.events) + len(decoded.bad)], [decoded.rows])
    events = decoded.events
    _same("places", _tuples(events, "source", "source_row"), [(verdict.source, verdict.number) for verdict, _ in good])
    _same("ids", events.column("event_id").to_pylist(), event_ids(canonical_row(*row) for _, row in good).to_pylist())
    for name, wanted in zip(RAW_COLUMNS, zip(*(row for _, row in good), strict=True), strict=bool(good)):
        _same(name, events.column(name).to_pylist(), list(wanted))
    _same(
        "levels",
        _tuples(events, "department", "sub_category", "product"),
        [_split_code(row.category_code) for _, row in good],
    )
    _same(
        "flags",
        _tuples(events, "zero_price", "missing_session"),
        [(row.price == 0, row.user_session is None) for _, row in good],
    )
    _same(
        "bad places",
        _tuples(decoded.bad, "source", "source_row"),
        [(verdict.source, verdict.number) for verdict, _ in bad],
    )
    _same("raw", decoded.bad.column("raw").to_pylist(), [verdict.raw for verdict, _ in bad])
    _same("reasons", decoded.bad.column("reason").to_pylist(), [fault.reason.value for _, fault in bad])
    _same("fields", decoded.bad.column("field").to_pylist(), [fault.field for _, fault in bad])
    if events.schema.names[: len(EVENTS)] != EVENTS.names:
        raise AssertionError(f"columns {events.schema.names}")


def _tuples(batch: pa.RecordBatch, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(batch.column(name).to_pylist() for name in names), strict=True))


def _split_code(code: str | None) -> tuple[str | None, ...]:
    parts = (code or "").split(".", 2)
    return tuple(part or None for part in [*parts, "", ""][:3])


def _same(what: str, found: Sequence[object], wanted: Sequence[object]) -> None:
    if list(found) == list(wanted):
        return
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))
    is_, should_be = found[at : at + 1], wanted[at : at + 1]
    raise AssertionError(f"{what}: {len(found)} found, {len(wanted)} wanted; at {at} {is_!r} and not {should_be!r}")
