"""What the engine told is read as it was meant. The file of events is of a run of the real engine, shortened."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.ci.events import EventsError, Step, Violation, read_events

BROKEN_RULE = (Path(__file__).parent / "events" / "broken_rule.jsonl").read_text().splitlines()


def step(operation: str, name: str, kind: str = "resourcePreEvent", **found: Any) -> str:
    urn = f"urn:pulumi:dev::shop-analytics::gcp:storage/bucket:Bucket::{name}"
    return json.dumps({kind: {"metadata": {"op": operation, "urn": urn, "type": "gcp:storage/bucket:Bucket", **found}}})


def test_what_would_happen_is_read_once_for_each_resource() -> None:
    assert read_events(BROKEN_RULE).steps == (
        Step("update", "gcp:storage/bucket:Bucket", "dev-events", ("uniformBucketLevelAccess",)),
        Step("update", "gcp:storage/bucket:Bucket", "dev-staging", ("uniformBucketLevelAccess",)),
        Step("update", "gcp:compute/instance:Instance", "dev-publisher", ("machineType",)),
        Step("replace", "gcp:dataflow/flexTemplateJob:FlexTemplateJob", "dev-events", ("maxWorkers",)),
    )


def test_broken_rules_are_read_with_what_to_do() -> None:
    found = read_events(BROKEN_RULE)
    says = "{} sets uniformBucketLevelAccess to false, which must be true. Set uniform_bucket_level_access=True."
    assert found.violations == (
        Violation("bucket-uniform-access", "dev-events", says.format("dev-events")),
        Violation("bucket-uniform-access", "dev-staging", says.format("dev-staging")),
    )
    assert found.rules == 51


def test_the_engines_last_words_are_no_error_but_others_are() -> None:
    assert read_events(BROKEN_RULE).errors == ()
    error = {"diagnosticEvent": {"severity": "error", "message": "no credentials\n"}}
    assert read_events([*BROKEN_RULE, json.dumps(error), json.dumps(error)]).errors == ("no credentials",)


def test_what_the_program_warns_of_is_read() -> None:
    (warning,) = read_events(BROKEN_RULE).warnings
    assert warning.startswith("maxWorkers o")


def test_components_and_providers_are_no_things() -> None:
    component = {"op": "create", "urn": "a::b", "type": "shop:infra:Network", "new": {"custom": False}}
    provider = {"op": "create", "urn": "a::c", "type": "pulumi:providers:docker", "new": {"custom": True}}
    lines = [json.dumps({"resourcePreEvent": {"metadata": metadata}}) for metadata in (component, provider)]
    assert read_events([*lines, step("create", "d")]).steps == (Step("create", "gcp:storage/bucket:Bucket", "d", ()),)


def test_a_refresh_is_read_by_what_it_found() -> None:
    lines = [
        step("refresh", "a"),
        step("update", "a", "resOutputsEvent", detailedDiff={"labels.owner": {}, "labels.x[0]": {}}),
        step("refresh", "b"),
        step("delete", "b", "resOutputsEvent"),
        step("same", "c"),
        step("create", "d"),
    ]
    assert [(one.operation, one.name, one.properties) for one in read_events(lines).steps] == [
        ("update", "a", ("labels",)),
        ("delete", "b", ()),
        ("create", "d", ()),
    ]


@pytest.mark.parametrize("line", ["", "Previewing update (dev)", "[1]"])
def test_what_is_no_event_is_named(line: str) -> None:
    with pytest.raises(EventsError, match="line 2 is no event"):
        read_events(['{"cancelEvent": {}}', line])
