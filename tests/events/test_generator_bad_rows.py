"""Generated bad rows: of every kind, all different, counted exactly, and found by the codec as what they are."""

from collections import Counter

import pytest

from app.events.csv_codec import decode
from app.events.generator import Settings, Summary, generate
from app.events.schema import MAX_ROW_BYTES
from app.events.store_model.bad_rows import REASONS


def ledger(settings: Settings) -> tuple[Summary, Counter[str], list[bytes], Counter[bytes]]:
    """The summary, and what the codec finds: bad rows by reason, their bytes, and events by id."""
    generation = generate(settings)
    reasons: Counter[str] = Counter()
    raw: list[bytes] = []
    events: Counter[bytes] = Counter()
    first_row = 1
    for chunk in generation:
        decoded = decode(chunk, source="generated", first_row=first_row)
        assert decoded.rows == len(decoded.events) + len(decoded.bad)
        first_row += decoded.rows
        reasons.update(decoded.bad.column("reason").to_pylist())
        raw += decoded.bad.column("raw").to_pylist()
        events.update(decoded.events.column("event_id").to_pylist())
    assert first_row - 1 == generation.summary.rows
    return generation.summary, reasons, raw, events


@pytest.mark.parametrize(
    "settings",
    [
        Settings(events=100_000, seed=3, bad=0.001),
        Settings(events=40_000, seed=4, bad=0.5, crlf=True),
        Settings(events=2_000, seed=5, bad=0.9, days=1),
        Settings(events=50_000, seed=6),
    ],
    ids=["a few", "every second row, CRLF", "nine in ten", "none"],
)
def test_the_codec_s_ledger_is_the_summary(settings: Settings) -> None:
    summary, reasons, raw, events = ledger(settings)
    assert summary.rows == settings.events
    assert summary.bad == round(settings.events * settings.bad)
    assert reasons == summary.bad_by_reason
    assert len(set(raw)) == len(raw) == summary.bad
    assert len(events) == summary.events
    assert events.total() - len(events) == summary.duplicates


def test_every_reason_occurs() -> None:
    summary, reasons, _, _ = ledger(Settings(events=20_000, seed=1, bad=0.001))
    assert summary.bad == 20
    assert set(reasons) == {reason.value for reason in REASONS}


def test_a_row_that_is_too_long_is_rare() -> None:
    data = b"".join(generate(Settings(events=30_000, seed=2, bad=0.4)))
    assert sum(len(row) > MAX_ROW_BYTES for row in data.split(b"\n")) == 3


def test_bad_rows_are_spread_over_the_file() -> None:
    data = b"".join(generate(Settings(events=50_000, seed=2, bad=0.02, header=False)))
    rows = data.split(b"\n")
    places = [number for number, row in enumerate(rows) if b"90000" in row]
    assert min(places) < 2_000
    assert max(places) > 48_000
