"""What a report is made from, and how to read it from the directory that the demo leaves."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.dashboards.report.run_facts import RunFacts, RunFactsError
from app.events.ledger import Ledger, read_ledgers

PIPELINES: Final = ("stream", "batch")
"""The pipelines, in the order in which their answers are preferred."""

LEDGER_FILE: Final = "ledger.json"
PARITY_FILE: Final = "parity.json"


class ResultsError(Exception):
    """The directory does not hold the results of a run."""


@dataclass(frozen=True)
class ReportInput:
    """Everything that a report shows.

    `answers` is question -> table with the question's columns; `ledgers` is pipeline -> ledger; `parity` is
    question -> whether both pipelines gave equal rows (empty where only one pipeline ran).
    """

    answers: Mapping[str, pa.Table]
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    parity: Mapping[str, bool] = field(default_factory=dict)
    run: RunFacts = field(default_factory=RunFacts)


def read_results(directory: Path) -> ReportInput:
    """Read answers, ledgers, parity and facts from a run's output directory.

    A question's answer is the streaming pipeline's where both have it. Raises ResultsError, with what to do,
    where there are no answers or a file cannot be read.
    """
    answers: dict[str, pa.Table] = {}
    for pipeline in PIPELINES:
        for path in sorted((directory / "answers" / pipeline).glob("*.parquet")):
            if path.stem not in answers:
                answers[path.stem] = _read_answer(path)
    if not answers:
        raise ResultsError(f"no answers in {directory / 'answers'}; run scripts/demo --out {directory} first")
    try:
        run = RunFacts.read(directory)
    except RunFactsError as error:
        raise ResultsError(str(error)) from error
    ledgers = _read_ledgers(directory / LEDGER_FILE)
    parity = _read_parity(directory / PARITY_FILE)
    return ReportInput(answers=answers, ledgers=ledgers, parity=parity, run=run)


def _read_answer(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ResultsError(f"{path} is not a Parquet file ({error}); run the demo again to rewrite it") from error


def _read_parity(path: Path) -> dict[str, bool]:
    if not path.exists():
        return {}
    try:
        return {name: bool(equal) for name, equal in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise ResultsError(f"{path} is not question -> equal ({error}); run the demo again to rewrite it") from error


def _read_ledgers(path: Path) -> dict[str, Ledger]:
    if not path.exists():
        return {}
    try:
        return read_ledgers(path)
    except (ValueError, TypeError, AttributeError) as error:
        raise ResultsError(f"{path} holds no ledgers ({error}); run the demo again to rewrite it") from error
