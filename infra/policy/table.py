"""The rules as a page of documentation: `python -m infra.policy.table docs/policies.md` writes it anew."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.policy.pack import CONCERNS
from infra.policy.rule import Rule

_HEAD: Final = """# Rules for what is declared

Made by `python -m infra.policy.table docs/policies.md` from `infra/policy/`.

`pulumi preview --policy-pack infra/policy` fails where a resource breaks one; there are no exceptions. CIS GCP is the
CIS Google Cloud Platform Foundation Benchmark 3.0.0, CIS Docker the CIS Docker Benchmark 1.6.0, CKV a check of Checkov.
"""


def markdown() -> str:
    """All rules by concern."""
    return "\n".join([_HEAD, *(line for concern, rules in CONCERNS.items() for line in _section(concern, rules))])


def _section(concern: str, rules: tuple[Rule, ...]) -> Iterator[str]:
    yield f"## {concern.capitalize()}"
    yield ""
    yield "| rule | what it says | to follow it | number |"
    yield "| --- | --- | --- | --- |"
    for rule in rules:
        cells = (f"`{rule.name}`", rule.says, rule.remedy, ", ".join(rule.benchmarks))
        yield f"| {' | '.join(cell.replace('|', ' ') for cell in cells)} |"
    yield ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(markdown())
