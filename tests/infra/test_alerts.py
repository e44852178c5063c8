"""There is an alert for each thing that goes wrong, which says what to do, and its query is one."""

from typing import Any

import promql_parser
import pytest

from app.stream.decode_blocks import BAD_COUNTED, ROWS_COUNTED
from infra.alert_rules import StreamNames
from infra.alerts import Alerts, AlertsArgs
from infra.place import Place
from infra.settings.operations import OperationsSettings
from tests.infra.declared import Declared, Resource, declare

PLACE = Place("dev", "demo-project", "europe-west1", "europe-west1-b")
STREAM = StreamNames("dev-events-pipeline", "dev-stream", "europe-west1")
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
METRIC = "gcp:logging/metric:Metric"
ROLES = {
    "unacked",
    "bad-events",
    "lag",
    "job-failed",
    "job-missing",
    "batch-failed",
    "batch-missing",
    "publisher-down",
    "batch-down",
    "batch-disk",
}


def alerts(settings: OperationsSettings | None = None, **changed: Any) -> Declared:
    given: dict[str, Any] = {
        "stream": STREAM,
        "has_batch": True,
        "machines": {"publisher": "dev-publisher", "batch": "dev-batch"},
        "disks_of": ("batch",),
    } | changed
    chosen = settings or OperationsSettings(alert_emails=("on-call@example.com", "Team.Two@example.com"))
    return declare(lambda: Alerts("dev-alerts", AlertsArgs(PLACE, chosen, **given)))


def query(policy: Resource) -> str:
    (condition,) = policy.inputs["conditions"]
    return str(condition["conditionPrometheusQueryLanguage"]["query"])


def test_there_is_an_alert_for_each_thing_that_goes_wrong() -> None:
    assert {policy.name for policy in alerts().all(POLICY)} == {f"dev-alert-{role}" for role in ROLES}


def test_an_alert_says_what_to_do_with_the_names_of_what_it_is_about() -> None:
    for policy in alerts().all(POLICY):
        content = policy.inputs["documentation"]["content"]
        assert "\n1. " in content, policy.name
        assert "\n2. " in content, policy.name
        assert "${" not in content, policy.name
        assert policy.inputs["documentation"]["subject"].startswith("dev: ")
        assert policy.inputs["severity"] in {"WARNING", "ERROR", "CRITICAL"}
    assert "`dev-batch`" in alerts().one(POLICY, "dev-alert-batch-down").inputs["documentation"]["content"]


def test_every_alert_tells_everybody() -> None:
    declared = alerts()
    emails = {channel.inputs["labels"]["email_address"] for channel in declared.all(CHANNEL)}
    assert emails == {"on-call@example.com", "Team.Two@example.com"}
    assert all(len(policy.inputs["notificationChannels"]) == 2 for policy in declared.all(POLICY))


def test_without_addresses_there_are_alerts_all_the_same() -> None:
    declared = alerts(OperationsSettings())
    assert declared.all(CHANNEL) == []
    assert len(declared.all(POLICY)) == len(ROLES)


def test_the_queries_are_promql_with_the_names_filled_in() -> None:
    for policy in alerts().all(POLICY):
        if policy.name != "dev-alert-batch-failed":
            assert promql_parser.parse(query(policy)), policy.name
            assert "${" not in query(policy), policy.name


def test_the_settings_are_the_thresholds() -> None:
    settings = OperationsSettings(
        unacked_seconds=61, bad_event_share=0.25, lag_seconds=62, disk_share=0.7, batch_hours=99
    )
    declared = alerts(settings)
    for role, end in {
        "unacked": '"dev-events-pipeline"}) > 61',
        "bad-events": "> 0.25",
        "lag": "> 62",
        "batch-disk": "> 0.7",
        "batch-missing": 'exit_code="0"}[99h])',
    }.items():
        assert query(declared.one(POLICY, f"dev-alert-{role}")).endswith(end), role


def test_the_share_of_bad_events_is_of_the_counters_that_the_pipeline_writes() -> None:
    asked = query(alerts().one(POLICY, "dev-alert-bad-events"))
    assert f'metric_name="{BAD_COUNTED}"' in asked
    assert f'metric_name="{ROWS_COUNTED}"' in asked


def test_a_failed_batch_run_is_told_by_its_own_line() -> None:
    policy = alerts().one(POLICY, "dev-alert-batch-failed")
    (condition,) = policy.inputs["conditions"]
    matched = condition["conditionMatchedLog"]["filter"]
    assert matched == (
        'jsonPayload.event="batch_run_finished" AND jsonPayload.environment="dev" AND jsonPayload.exit_code!=0'
    )
    assert policy.inputs["alertStrategy"]["notificationRateLimit"]["period"] == "3600s"


def test_a_missing_batch_run_is_missed_in_the_metric_that_counts_runs() -> None:
    declared = alerts()
    metric = declared.one(METRIC)
    assert metric.inputs["name"] == "dev-batch-runs"
    assert metric.inputs["filter"] == 'jsonPayload.event="batch_run_finished" AND jsonPayload.environment="dev"'
    assert metric.inputs["labelExtractors"] == {"exit_code": "EXTRACT(jsonPayload.exit_code)"}
    assert "logging_googleapis_com:user_dev_batch_runs" in query(declared.one(POLICY, "dev-alert-batch-missing"))


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"stream": None}, {"unacked", "bad-events", "lag", "job-failed", "job-missing"}),
        ({"has_batch": False}, {"batch-failed", "batch-missing"}),
        ({"machines": {}, "disks_of": ()}, {"publisher-down", "batch-down", "batch-disk"}),
    ],
)
def test_what_is_not_there_has_no_alert(changed: dict[str, Any], left_out: set[str]) -> None:
    declared = alerts(**changed)
    assert {policy.name for policy in declared.all(POLICY)} == {f"dev-alert-{role}" for role in ROLES - left_out}
    assert bool(declared.all(METRIC)) == changed.get("has_batch", True)
