"""Why the figures can be trusted: the ledgers, the bad rows, the parity of the pipelines, how the run was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.dashboards.report import formats
from app.dashboards.report.figures import ACCENT, Panel
from app.dashboards.report.results import PIPELINES
from app.dashboards.report.run_facts import BadRows, RunFacts, Stage
from app.dashboards.report.shapes import bars, numbers
from app.events.ledger import Ledger

PIPELINE_NAMES: Final = {"stream": "Streaming", "batch": "Batch", "both": "Both"}


@dataclass(frozen=True)
class Part:
    """A part of the rows read: its number, its name, and its share in percent for the width of its bar."""

    kind: str
    name: str
    rows: str
    percent: float


@dataclass(frozen=True)
class LedgerPicture:
    """A ledger as parts of one bar; `sums` is the calculation, `problem` is empty where it is right."""

    name: str
    read: str
    parts: tuple[Part, ...]
    sums: str
    problem: str


@dataclass(frozen=True)
class Verdict:
    """One line at the top of the report: a promise, and whether it holds (None: it was not checked)."""

    holds: bool | None
    text: str


def ledger_pictures(ledgers: Mapping[str, Ledger]) -> tuple[LedgerPicture, ...]:
    """Return a picture of each pipeline's ledger."""
    return tuple(_ledger_picture(name, ledgers[name]) for name in sorted(ledgers, key=_pipeline_order))


def _pipeline_order(name: str) -> tuple[int, str]:
    return (PIPELINES.index(name) if name in PIPELINES else len(PIPELINES), name)


def _ledger_picture(name: str, ledger: Ledger) -> LedgerPicture:
    parts = [
        ("stored", "stored", ledger.stored),
        ("duplicates", "duplicates", ledger.duplicates),
        ("bad", "kept as bad", ledger.bad),
    ]
    if ledger.missing > 0:
        parts.append(("missing", "missing", ledger.missing))
    whole = sum(rows for _, _, rows in parts) or 1
    sums = " + ".join(formats.count(rows) for rows in (ledger.stored, ledger.duplicates, ledger.bad))
    problem = ""
    if ledger.missing > 0:
        problem = f"{formats.plural(ledger.missing, 'row')} missing"
    elif ledger.missing < 0:
        problem = f"{formats.plural(-ledger.missing, 'row')} too many"
    return LedgerPicture(
        name=PIPELINE_NAMES.get(name, formats.sentence(name)),
        read=formats.count(ledger.read),
        parts=tuple(Part(kind, label, formats.count(rows), 100 * rows / whole) for kind, label, rows in parts),
        sums=f"{formats.count(ledger.read)} {'≠' if problem else '='} {sums}",
        problem=problem,
    )


def verdicts(ledgers: Mapping[str, Ledger], parity: Mapping[str, bool]) -> tuple[Verdict, ...]:
    """Return the two promises: every row is accounted for, and both pipelines give the same answers."""
    return (_ledger_verdict(ledgers), _parity_verdict(parity))


def _ledger_verdict(ledgers: Mapping[str, Ledger]) -> Verdict:
    if not ledgers:
        return Verdict(None, "Rows were not counted in this run.")
    wrong = [PIPELINE_NAMES.get(name, name) for name, ledger in ledgers.items() if ledger.missing]
    if wrong:
        return Verdict(False, f"The ledger does not add up in: {formats.listing(wrong)}. See Trust.")
    read = max(ledger.read for ledger in ledgers.values())
    pipelines = "both pipelines" if len(ledgers) > 1 else "the pipeline"
    return Verdict(True, f"All {formats.count(read)} rows read are accounted for in {pipelines}.")


def _parity_verdict(parity: Mapping[str, bool]) -> Verdict:
    if not parity:
        return Verdict(None, "Only one pipeline ran, so its answers were not compared.")
    different = [formats.words(question) for question, equal in parity.items() if not equal]
    if different:
        return Verdict(False, f"The pipelines differ in {formats.listing(different)}. See Trust.")
    return Verdict(True, f"Streaming and batch give the same answer to all {len(parity)} questions.")


def bad_rows_panel(bad_rows: tuple[BadRows, ...]) -> Panel | None:
    """Return bad rows by reason and field, the most frequent first; None where there is none."""
    cells = [
        {
            "name": _reason(bad),
            "value": bad.rows,
            "text": formats.count(bad.rows),
            "reason": formats.words(bad.reason).replace("utf8", "UTF-8"),
            "field": bad.field or "the row as a whole",
        }
        for bad in sorted(bad_rows, key=lambda bad: (-bad.rows, bad.reason, bad.field or ""))
        if bad.rows
    ]
    if not cells:
        return None
    tips = {"reason": "Reason", "field": "Field", "text": "Rows"}
    return Panel.draw(
        lambda narrow: bars(cells, axis=numbers("rows", whole=True), tips=tips, narrow=narrow, color=ACCENT),
        "Bad rows by reason",
        title="Why rows were bad",
    )


def _reason(bad: BadRows) -> str:
    """Return the reason in words, with the field where the reason does not name it."""
    reason = formats.words(bad.reason).replace("utf8", "UTF-8")
    return reason if bad.field is None or formats.words(bad.field) in reason else f"{reason}: {bad.field}"


def stages_panel(stages: tuple[Stage, ...]) -> Panel | None:
    """Return the seconds that each stage took, in the order in which they ran; None where none is known."""
    if not stages:
        return None
    cells = [
        {
            "name": f"{PIPELINE_NAMES.get(stage.pipeline, stage.pipeline)}: {stage.name}",
            "value": stage.seconds,
            "text": formats.duration(stage.seconds) + _rate(stage),
            "short": formats.duration(stage.seconds),
            "seconds": formats.duration(stage.seconds),
            "rows": formats.count(stage.rows),
            "rate": formats.compact(stage.rows_per_second),
        }
        for stage in stages
    ]
    tips = {"name": "Stage", "seconds": "Time", "rows": "Rows", "rate": "Rows per second"}
    return Panel.draw(
        lambda narrow: bars(cells, axis=numbers("seconds"), tips=tips, narrow=narrow),
        "Seconds taken by each stage of the run",
        title="How long each stage took",
    )


def _rate(stage: Stage) -> str:
    return "" if stage.rows_per_second is None else f" ({formats.compact(stage.rows_per_second)} rows/s)"


def run_facts(run: RunFacts) -> tuple[tuple[str, str], ...]:
    """Return the facts of the run that are known, as name and value."""
    files = [
        file.name
        + "".join(
            [
                f", {formats.size(file.bytes)}" if file.bytes is not None else "",
                f", {formats.count(file.rows)} rows" if file.rows is not None else "",
            ]
        )
        for file in run.files
    ]
    facts = [
        ("Command", run.command),
        ("Finished", run.finished.replace("T", " ").replace("+00:00", " UTC")),
        *(("File", file) for file in files),
        *((formats.sentence(formats.words(name)), value) for name, value in run.machine.items()),
        *((f"Store {name}", holds) for name, holds in run.stores.items()),
        *(("Note", note) for note in run.notes),
    ]
    return tuple((name, value) for name, value in facts if value)
