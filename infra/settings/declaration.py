"""How settings are declared, read and checked. A section is a frozen dataclass whose fields are made by `setting`:

    @dataclass(frozen=True)
    class NetworkSettings:
        \"\"\"The network.\"\"\"

        range: str = setting("10.20.0.0/20", CIDR, "addresses of the subnet")

In `Pulumi.<environment>.yaml` it stands under its name, with its fields in camel case:

    shop-analytics:network:
      range: 10.30.0.0/20

A section may give one of its fields as its `SWITCH`; then `shop-analytics:stream: off` is short for that field alone.
A section's method `problems` says what is wrong between fields.
"""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pulumi

from infra.settings.rules import Rule

PROJECT: Final = "shop-analytics"
"""The name in Pulumi.yaml, under which Pulumi keeps this program's settings."""
_SETTING: Final = "setting"
_Section = TypeVar("_Section")


@dataclass(frozen=True)
class Setting:
    """A declared setting: what it means, what is allowed."""

    rule: Rule
    meaning: str


@dataclass(frozen=True)
class Problem:
    """A setting that is wrong: its key, the value that it has, what is allowed instead, an example."""

    key: str
    value: Any
    allowed: str
    example: str

    def __str__(self) -> str:
        value = "missing" if self.value is None else json.dumps(self.value, default=str)
        text = f"{self.key} is {value}: give {self.allowed}"
        if not self.example:
            return text
        path = " --path" if "." in self.key else ""
        key = self.key.removeprefix(f"{PROJECT}:")
        return f"{text}, for example\n      pulumi config set{path} {key} '{self.example}'"


class SettingsError(pulumi.RunError):
    """Settings are not valid; the message has all that is wrong. Nothing has been declared."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
        super().__init__(f"settings of the environment that are not valid: {len(self.problems)}\n{listed}")


def setting(default: Any, rule: Rule, meaning: str) -> Any:
    """Declare a setting of a section, with the value that it has where none is given."""
    return dataclasses.field(default=default, metadata={_SETTING: Setting(rule, meaning)})


def settings_of(section: type[Any]) -> dict[str, tuple[Setting, Any]]:
    """The settings of a section by their name in camel case, each with its default."""
    return {
        camel_case(field.name): (field.metadata[_SETTING], field.default)
        for field in dataclasses.fields(section)
        if _SETTING in field.metadata
    }


def read_section(kind: type[_Section], name: str, given: str | None, problems: list[Problem]) -> _Section:
    """Read a section from its text in the configuration, which is JSON or a word. What is wrong goes to `problems`."""
    key = f"{PROJECT}:{name}"
    declared = settings_of(kind)
    values: dict[str, Any] = {}
    for field, value in _fields(kind, key, given, problems).items():
        if field not in declared:
            problems.append(unknown(f"{key}.{field}", value, [f"{key}.{known}" for known in declared]))
            continue
        rule = declared[field][0].rule
        try:
            values[_snake_case(kind, field)] = rule.read(value)
        except (ValueError, TypeError):
            problems.append(Problem(f"{key}.{field}", value, rule.allowed, rule.example))
    return kind(**values)


def unknown(key: str, value: Any, known: Iterable[str]) -> Problem:
    """Say that there is no such setting, and which was meant."""
    known = list(known)
    close = difflib.get_close_matches(key, known, n=1)
    return Problem(
        key, value, f"no such setting; did you mean {close[0]}" if close else "one of " + ", ".join(known), ""
    )


def camel_case(name: str) -> str:
    """`max_workers` as it stands in YAML: `maxWorkers`."""
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _fields(kind: type[Any], key: str, given: str | None, problems: list[Problem]) -> Mapping[str, Any]:
    if given is None:
        return {}
    try:
        value = json.loads(given)
    except ValueError:
        value = given
    if isinstance(value, Mapping):
        return value
    switch = getattr(kind, "SWITCH", None)
    if switch is None:
        problems.append(Problem(key, value, "a map of settings", f'{{"{next(iter(settings_of(kind)))}": …}}'))
        return {}
    return {switch: value}


def _snake_case(kind: type[Any], field: str) -> str:
    return next(one.name for one in dataclasses.fields(kind) if camel_case(one.name) == field)
