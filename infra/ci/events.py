"""What Pulumi's engine told of a preview, read from its stream of events: a JSON object a line.

`pulumi preview --json` gives these with PULUMI_ENABLE_STREAMING_JSON_PREVIEW set; without it, rules are left out.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_UNCHANGED: Final = frozenset({"same", "read", "read-discard", "refresh"})
_PARTS_OF_REPLACEMENT: Final = frozenset(
    {"create-replacement", "delete-replaced", "discard-replaced", "remove-pending-replace"}
)

_LAST_WORDS: Final = frozenset({"preview failed", "update failed"})
"""What the engine says at its end when it has told the reasons already."""


class EventsError(ValueError):
    """The lines are no events of Pulumi's engine; the message says where."""


@dataclass(frozen=True)
class Step:
    """What would happen to a resource: `create`, `update`, `replace` or `delete`, by which of its properties."""

    operation: str
    type: str
    name: str
    properties: tuple[str, ...]


@dataclass(frozen=True)
class Violation:
    """A rule that a resource breaks."""

    rule: str
    resource: str
    message: str


@dataclass(frozen=True)
class Preview:
    """What would happen, which rules break and how many were asked, what went wrong, and what is warned of."""

    steps: tuple[Step, ...]
    violations: tuple[Violation, ...]
    rules: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What the program itself warns of, such as a job that is replaced."""

    def count(self, operation: str) -> int:
        """How many resources would be created, updated, replaced or deleted."""
        return sum(step.operation == operation for step in self.steps)


def read_events(lines: Iterable[str]) -> Preview:
    """Read the events of a preview. Raises EventsError."""
    steps: dict[str, Step] = {}
    violations: dict[tuple[str, str], Violation] = {}
    rules: set[str] = set()
    said: dict[str, list[str]] = {"error": [], "warning": []}
    for number, line in enumerate(lines, 1):
        event = _parsed(line, number)
        if step := event.get("resourcePreEvent"):
            _take_step(step["metadata"], steps)
        # A refresh says only afterwards what it has found.
        if (step := event.get("resOutputsEvent")) and step["metadata"]["op"] in ("update", "delete"):
            _take_step(step["metadata"], steps)
        if broken := event.get("policyEvent"):
            violation = _violation(broken)
            violations[violation.rule, violation.resource] = violation
        if judged := event.get("policyAnalyzeSummaryEvent"):
            rules.update(judged.get("passed", ()), judged.get("failed", ()))
        if words := event.get("diagnosticEvent"):
            _take_words(words, said)
    errors, warnings = (tuple(dict.fromkeys(said[severity])) for severity in ("error", "warning"))
    return Preview(tuple(steps.values()), tuple(violations.values()), len(rules), errors, warnings)


def _parsed(line: str, number: int) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise EventsError(f"line {number} is no event of Pulumi's engine: {line[:80]!r}") from error
    if not isinstance(event, Mapping):
        raise EventsError(f"line {number} is no event of Pulumi's engine: {line[:80]!r}")
    return event


def _take_step(metadata: Mapping[str, Any], steps: dict[str, Step]) -> None:
    operation = metadata["op"]
    state = metadata.get("new") or metadata.get("old") or {}
    # A component is nothing by itself, nor is a provider; of a replacement there is one step more that says so.
    is_thing = state.get("custom", True) and not metadata["type"].startswith("pulumi:")
    if operation in _UNCHANGED | _PARTS_OF_REPLACEMENT or not is_thing:
        return
    paths = metadata.get("detailedDiff") or metadata.get("diffs") or ()
    properties = tuple(sorted({path.partition(".")[0].partition("[")[0] for path in paths}))
    steps[metadata["urn"]] = Step(operation, metadata["type"], _name(metadata["urn"]), properties)


def _take_words(words: Mapping[str, Any], said: dict[str, list[str]]) -> None:
    severity, message = words["severity"], words["message"].strip()
    # Without a resource a warning is the engine's own, about plugins and the like.
    if severity in said and message not in _LAST_WORDS and (severity == "error" or words.get("urn")):
        said[severity].append(message)


def _violation(broken: Mapping[str, Any]) -> Violation:
    # The engine puts the rule's own sentence in front of the complaint.
    message = broken["message"].strip().splitlines()[-1].strip()
    return Violation(broken["policyName"], _name(broken.get("resourceUrn", "")), message)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
