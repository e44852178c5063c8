"""The page of rules is the one that the rules make."""

from infra.policy.pack import RULES
from infra.policy.table import markdown
from tests.infra.declared import ROOT


def test_the_page_is_as_the_rules_are() -> None:
    there = (ROOT / "docs" / "policies.md").read_text()
    assert there == markdown(), "run: python -m infra.policy.table docs/policies.md"
    assert all(f"| `{rule.name}` |" in there for rule in RULES)
