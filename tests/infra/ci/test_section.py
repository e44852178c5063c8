"""A preview in Markdown has what a reviewer asks for, and nothing of it can pretend to be more than text."""

from infra.ci.events import Preview, Step, Violation
from infra.ci.section import drift_section, preview_section
from infra.cost.estimate import Estimate, Line

NOTHING = Preview((), (), 51, ())


def bucket(operation: str, name: str, *properties: str) -> Step:
    return Step(operation, "gcp:storage/bucket:Bucket", name, properties)


def cost(usd: float) -> Estimate:
    return Estimate("prod", "us-central1, 2025-01-31", (Line("stream", "workers", "n2", 1, "hour", usd, "x"),))


def test_the_dangerous_comes_first_and_is_open() -> None:
    preview = Preview((bucket("update", "b", "labels"), bucket("create", "c"), bucket("delete", "d")), (), 51, ())
    text = preview_section("prod", preview, None, None)
    assert text.startswith("### prod\n\nResources: **1 deleted, 1 created, 1 changed**\n\nRules: all 51 hold.")
    assert "<details open>" in text
    assert text.index("**deleted**") < text.index("created | `c`") < text.index("changed | `b`")
    assert "| changed | `b` | `gcp:storage/bucket:Bucket` | `labels` |" in text
    assert "<details><summary>" in preview_section("prod", Preview((bucket("create", "c"),), (), 51, ()), None, None)


def test_nothing_is_said_in_words() -> None:
    text = preview_section("dev", NOTHING, cost(100), cost(100))
    assert "Resources: nothing changes." in text
    assert "Cost: about **100.00 USD a month**, unchanged" in text
    assert "<details" not in text


def test_the_cost_says_the_difference_or_that_there_is_none_to_compare_with() -> None:
    assert "(**+20.00**)" in preview_section("dev", NOTHING, cost(100), cost(120))
    assert "| stream | workers | 100.00 | 120.00 | +20.00 |" in preview_section("dev", NOTHING, cost(100), cost(120))
    assert "there is no estimate to compare it with" in preview_section("dev", NOTHING, None, cost(100))
    assert "Cost" not in preview_section("dev", NOTHING, None, None)


def test_broken_rules_are_a_table() -> None:
    preview = Preview((), (Violation("labels", "b", "b has no label component"), Violation("a", "a", "x")), 51, ())
    text = preview_section("dev", preview, None, None)
    assert "Rules: **broken**" in text
    assert text.index("| `a` | `a` | `x` |") < text.index("| `b` | `labels` | `b has no label component` |")


def test_rules_that_were_not_asked_are_not_said_to_hold() -> None:
    assert "Rules: **none was asked**" in preview_section("dev", Preview((), (), 0, ()), None, None)


def test_failure_is_said_first() -> None:
    text = preview_section("dev", Preview((), (), 0, ("no credentials",)), None, None)
    assert text.startswith("### dev\n\n**It failed:**\n\n```text\nno credentials\n```")
    assert "nothing changes" not in text
    assert "Rules" not in text


def test_warnings_of_the_program_are_passed_on() -> None:
    text = preview_section("dev", Preview((), (), 51, (), ("the job\nis replaced",)), None, None)
    assert "- Mind: `the job is replaced`" in text


def test_names_cannot_make_markdown() -> None:
    preview = Preview((bucket("create", "`@everyone` | [x](http://x)"),), (), 1, ("```\n# loud",))
    text = preview_section("dev", preview, None, None)
    assert "` @everyone    [x](http://x)`" in text
    assert "'''\n# loud" in text


def test_a_long_list_is_cut() -> None:
    preview = Preview(tuple(bucket("create", f"b{number:03}") for number in range(100)), (), 1, ())
    text = preview_section("dev", preview, None, None)
    assert "`b059`" in text
    assert "`b060`" not in text
    assert "and 40 more." in text


def test_without_drift_there_is_no_section() -> None:
    assert drift_section("dev", NOTHING) == ""
    assert "1 changed" in drift_section("dev", Preview((bucket("update", "b"),), (), 0, ()))
    assert "It failed" in drift_section("dev", Preview((), (), 0, ("refused",)))
