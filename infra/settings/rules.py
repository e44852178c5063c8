"""What a setting may be. A rule reads a value as it stands in `Pulumi.<environment>.yaml`, and says what it allows."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """A kind of value: `read` gives the value that a program uses, and raises ValueError for what is not allowed."""

    kind: str
    allowed: str
    example: str
    read: Callable[[Any], Any]


def switch() -> Rule:
    """On or off."""

    def read(value: Any) -> bool:
        return _one_of({"true": True, "on": True, "false": False, "off": False}, value)  # type: ignore[no-any-return]

    return Rule("switch", "true or false", "true", read)


def integer(low: int, high: int, example: int) -> Rule:
    """A whole number within bounds, both included."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
            raise ValueError
        if not low <= int(value) <= high:
            raise ValueError
        return int(value)

    return Rule("integer", f"{low:,} to {high:,}", str(example), read)


def number(low: float, high: float, example: float) -> Rule:
    """A number within bounds, both included."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not low <= float(value) <= high:
            raise ValueError
        return float(value)

    return Rule("number", f"{low:g} to {high:g}", f"{example:g}", read)


def choice(*values: str) -> Rule:
    """One of some words. A choice with `off` takes `false` for it, which is what `off` means in some YAML."""
    words = {value: value for value in values} | ({"false": "off"} if "off" in values else {})
    return Rule("choice", ", ".join(values), values[0], lambda value: _one_of(words, value))


def text(pattern: str, allowed: str, example: str) -> Rule:
    """Text of a form; `pattern` is a regular expression for the whole of it, `allowed` the same in words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return Rule("text", allowed, example, read)


def optional(rule: Rule) -> Rule:
    """A value that may be left empty, which gives None."""
    return Rule(
        rule.kind, f"{rule.allowed}; or empty", rule.example, lambda value: None if value == "" else rule.read(value)
    )


def several(rule: Rule, least: int = 0) -> Rule:
    """A list of values, without repeats; `least` is how many there are at least."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError  # noqa: TRY004 - a rule says "not allowed" in one way
        values = tuple(map(rule.read, value))
        if len(values) < least or len(set(values)) < len(values):
            raise ValueError
        return values

    allowed = f"each {rule.allowed}, none twice" + (f", {least} at least" if least else "")
    return Rule(f"list of {rule.kind}", allowed, f"[{rule.example}]", read)


def _one_of(words: dict[str, Any], value: Any) -> Any:
    word = str(value).lower() if isinstance(value, bool) else value
    if not isinstance(word, str) or word not in words:
        raise ValueError
    return words[word]
