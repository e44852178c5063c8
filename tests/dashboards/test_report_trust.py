from app.dashboards.report.run_facts import RunFacts
from app.dashboards.report.trust import run_facts


def test_what_each_store_holds_is_told_with_how_the_run_was_made() -> None:
    facts = RunFacts(
        command="scripts/demo", stores={"Redis": "1,000 events in 139 keys; most bought: 1"}, notes=("done",)
    )
    assert run_facts(facts) == (
        ("Command", "scripts/demo"),
        ("Store Redis", "1,000 events in 139 keys; most bought: 1"),
        ("Note", "done"),
    )
