"""A preview as Markdown: the part of a comment, or of an issue, that is about one environment."""

from collections.abc import Iterator
from typing import Final

from infra.ci.events import Preview, Step, Violation
from infra.cost.estimate import Estimate
from infra.cost.shown import changes_as_markdown

_SHOWN: Final = 60
_SHOWN_CHARACTERS: Final = 3_000
_OPERATIONS: Final = {"replace": "replaced", "delete": "deleted", "create": "created", "update": "changed"}
"""The dangerous ones first."""


def preview_section(environment: str, preview: Preview, before: Estimate | None, after: Estimate | None) -> str:
    """What would change in an environment, which rules break, and what it costs."""
    parts = [
        f"### {environment}",
        _errors(preview),
        _summary(preview),
        _warnings(preview),
        _rules(preview),
        _cost(before, after),
    ]
    return "\n\n".join([*(part for part in parts if part), *_details(preview)]) + "\n"


def drift_section(environment: str, preview: Preview) -> str:
    """How an environment differs from the program; empty where it does not."""
    if not preview.steps and not preview.errors:
        return ""
    parts = [f"### {environment}", _errors(preview), _summary(preview)]
    return "\n\n".join([*(part for part in parts if part), *_details(preview)]) + "\n"


def _summary(preview: Preview) -> str:
    counts = [
        f"{preview.count(operation)} {word}" for operation, word in _OPERATIONS.items() if preview.count(operation)
    ]
    if not counts:
        return "Resources: nothing changes." if not preview.errors else ""
    return f"Resources: **{', '.join(counts)}**"


def _warnings(preview: Preview) -> str:
    return "\n".join(f"- Mind: {_text(warning)}" for warning in preview.warnings)


def _rules(preview: Preview) -> str:
    if preview.violations:
        rows = [f"| {_code(one.resource)} | {_code(one.rule)} | {_text(one.message)} |" for one in _sorted(preview)]
        return "\n".join(["Rules: **broken**", "", "| resource | rule | |", "| --- | --- | --- |", *rows])
    if preview.rules:
        return f"Rules: all {preview.rules} hold."
    return "" if preview.errors else "Rules: **none was asked**"


def _sorted(preview: Preview) -> list[Violation]:
    return sorted(preview.violations, key=lambda one: (one.resource, one.rule))


def _cost(before: Estimate | None, after: Estimate | None) -> str:
    if after is None:
        return ""
    if before is None:
        return f"Cost: about **{after.usd:,.2f} USD a month**; there is no estimate to compare it with."
    return f"Cost: {changes_as_markdown(before, after)}"


def _errors(preview: Preview) -> str:
    if not preview.errors:
        return ""
    told = "\n".join(preview.errors)[:_SHOWN_CHARACTERS].replace("```", "'''")
    return f"**It failed:**\n\n```text\n{told}\n```"


def _details(preview: Preview) -> Iterator[str]:
    if not preview.steps:
        return
    ordered = sorted(preview.steps, key=_by_danger)
    rows = [f"| {_word(step)} | {_code(step.name)} | {_code(step.type)} | {_properties(step)} |" for step in ordered]
    more = [f"\nand {len(rows) - _SHOWN} more."] if len(rows) > _SHOWN else []
    table = ["| | resource | type | by |", "| --- | --- | --- | --- |", *rows[:_SHOWN], *more]
    is_open = " open" if any(step.operation in ("replace", "delete") for step in preview.steps) else ""
    yield "\n".join([f"<details{is_open}><summary>Resources</summary>", "", *table, "", "</details>"])


def _by_danger(step: Step) -> tuple[int, str]:
    places = list(_OPERATIONS)
    return places.index(step.operation) if step.operation in places else len(places), step.name


def _word(step: Step) -> str:
    word = _OPERATIONS.get(step.operation, step.operation)
    return f"**{word}**" if step.operation in ("replace", "delete") else word


def _properties(step: Step) -> str:
    return ", ".join(map(_code, step.properties)) if step.operation in ("update", "replace") else ""


def _code(text: str) -> str:
    # What a branch's code calls its resources must not become a link, a mention or another row.
    return f"`{text.replace('`', ' ').replace('|', ' ')}`" if text else ""


def _text(text: str) -> str:
    return _code(" ".join(text.split()))
