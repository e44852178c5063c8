"""Every question gives the same rows on every engine: those that its words promise.

A case is a folder `cases/QUESTION/CASE` with `events.csv`, raw rows, and `expected.csv`, the answer.
"""

from pathlib import Path

import pyarrow as pa
import pytest

from app.analytics import FACTS, QUESTIONS
from app.analytics.sql import compile_fact, compile_question
from tests.analytics.answers import ask, assert_same, read_rows, rows_of
from tests.analytics.engines import Engine
from tests.analytics.events import events_of, generated_events, read_events
from tests.analytics.reference import ANSWERS

CASES = sorted((Path(__file__).parent / "cases").glob("*/*"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_case_has_its_expected_answer(case: Path, engine: Engine) -> None:
    question = QUESTIONS[case.parent.name]
    engine.load("events", read_events(case / "events.csv"))
    assert_same(ask(question.name, engine), read_rows(question, case / "expected.csv"))


def test_every_question_has_an_empty_case_and_others() -> None:
    named = {name: [case.name for case in CASES if case.parent.name == name] for name in QUESTIONS}
    assert all("empty" in cases and len(cases) >= 3 for cases in named.values()), named


def test_every_question_agrees_with_plain_loops_over_many_events(many_events: pa.Table, engine: Engine) -> None:
    engine.load("events", many_events)
    rows = many_events.to_pylist()
    for name in QUESTIONS:
        assert_same(ask(name, engine), ANSWERS[name](rows))


def test_a_clock_at_1970_does_not_cut_off_the_end(engine: Engine) -> None:
    rows = "1970-01-01 00:00:00 UTC,view,1,2,,,5.00,1,s\n2026-11-24 12:00:00 UTC,purchase,1,2,,,5.00,1,s\n"
    events = events_of(rows.encode(), "clock.csv")
    engine.load("events", events)
    for name in ("daily_revenue", "weekly_retention"):
        assert_same(ask(name, engine), ANSWERS[name](events.to_pylist()))


def test_answers_from_stored_facts_are_those_from_events(engine: Engine) -> None:
    engine.load("events", generated_events(5_000))
    events = f"{engine.path}events"
    stored: list[str] = []
    for fact in FACTS:
        sql = compile_fact(fact, engine.dialect, events=events, facts=stored)
        engine.load(fact, engine.query(sql).cast(FACTS[fact].schema))
        stored.append(fact)
    for name, question in QUESTIONS.items():
        from_facts = engine.query(compile_question(name, engine.dialect, events=events, facts=stored))
        assert rows_of(question, from_facts) == ask(name, engine), name
