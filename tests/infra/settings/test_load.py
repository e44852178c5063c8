"""Settings are checked whole, before anything is declared, and what is wrong is said so that it can be put right."""

import json
from typing import Any

import pytest
import yaml

from infra.settings import SettingsError, load
from infra.settings.declaration import camel_case, settings_of
from infra.settings.load import sections
from tests.infra.declared import GCP, ROOT, declare_stack, stack_file

DECLARED = [
    pytest.param(name, field, declared, default, id=f"{name}.{field}")
    for name, kind in sections().items()
    for field, (declared, default) in settings_of(kind).items()
]


def problems(config: dict[str, Any], environment: str = "dev") -> list[str]:
    given = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    with pytest.raises(SettingsError) as error:
        load(GCP | given, environment)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "local"])
def test_the_file_of_each_environment_is_valid(environment: str) -> None:
    settings = load((GCP if environment != "local" else {}) | stack_file(environment), environment)
    assert settings.place.environment == environment


def test_only_project_and_region_must_be_given() -> None:
    settings = load(GCP, "dev")
    assert settings.place.zone == "europe-west1-b"
    with pytest.raises(SettingsError) as error:
        load({}, "dev")
    assert {problem.key for problem in error.value.problems} >= {"gcp:project", "gcp:region"}
    assert "gcp:project is missing: give the id of a project" in str(error.value)
    assert "pulumi config set gcp:region 'europe-west1'" in str(error.value)


@pytest.mark.parametrize(("name", "field", "declared", "default"), DECLARED)
def test_default_and_example_of_each_setting_are_allowed(name: str, field: str, declared: Any, default: Any) -> None:
    rule = declared.rule
    if default is not None:
        rule.read(default)
    rule.read(yaml.safe_load(rule.example) if rule.kind != "text" else rule.example)
    assert declared.meaning
    assert rule.allowed


@pytest.mark.parametrize(("name", "field", "declared", "default"), DECLARED)
def test_a_wrong_value_of_each_setting_is_said_with_key_value_what_is_allowed_and_an_example(
    name: str, field: str, declared: Any, default: Any
) -> None:
    said = problems({f"shop-analytics:{name}": {field: {"no": "such"}}})[0]
    assert said.startswith(f'shop-analytics:{name}.{field} is {{"no": "such"}}: give {declared.rule.allowed}')
    assert f"pulumi config set --path {name}.{field} '{declared.rule.example}'" in said


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        ("stream", "maxWorkers", 0),
        ("stream", "maxWorkers", 1_001),
        ("stream", "maxWorkers", 1.5),
        ("stream", "maxWorkers", True),
        ("stream", "enabled", "maybe"),
        ("stream", "machineType", "big"),
        ("stream", "machineType", "n2-standard"),
        ("stream", "machineType", "N2-standard-2"),
        ("stream", "onDelete", "stop"),
        ("stream", "keepDays", -1),
        ("messages", "topic", "goog-events"),
        ("messages", "topic", "ev"),
        ("messages", "topic", "1events"),
        ("messages", "topic", "events!"),
        ("messages", "ackDeadlineSeconds", 5),
        ("messages", "ackDeadlineSeconds", 5_000),
        ("messages", "retentionDays", 32),
        ("messages", "deliveryAttempts", 4),
        ("storage", "bucketPrefix", "My_Shop"),
        ("storage", "bucketPrefix", "my-google-shop"),
        ("storage", "bucketPrefix", "-shop"),
        ("storage", "bucketPrefix", "a" * 41),
        ("storage", "location", "europe"),
        ("storage", "location", "moon-1"),
        ("storage", "location", "eu"),
        ("storage", "softDeleteDays", 3),
        ("warehouse", "dataset", "my-shop"),
        ("warehouse", "location", "west"),
        ("warehouse", "historyFrom", "October 2019"),
        ("warehouse", "historyFrom", "2019-02-30"),
        ("events", "earliest", "October 2019"),
        ("events", "earliest", "2019-02-30"),
        ("events", "earliest", "+1d"),
        ("events", "latest", "tomorrow"),
        ("events", "latest", "2019-02-30"),
        ("events", "latest", "+1"),
        ("events", "latest", "2016-12-31"),
        ("warehouse", "readers", ["me@example.com"]),
        ("warehouse", "readers", ["allUsers"]),
        ("warehouse", "readers", "user:me@example.com"),
        ("warehouse", "readers", ["user:me@example.com", "user:me@example.com"]),
        ("network", "range", "8.8.8.0/24"),
        ("network", "range", "10.0.0.0/8"),
        ("network", "range", "10.0.0.1/20"),
        ("network", "existing", "shared"),
        ("network", "flowLogShare", 0),
        ("security", "kmsKey", "my-key"),
        ("publisher", "files", ["events/ 2019.csv"]),
        ("publisher", "files", ["$(reboot)"]),
        ("publisher", "files", []),
        ("publisher", "replay", "Second Try"),
        ("publisher", "speed", 0),
        ("publisher", "start", "2019-10-01"),
    ],
)
def test_what_google_would_refuse_is_refused(section: str, field: str, value: Any) -> None:
    (said,) = problems({f"shop-analytics:{section}": {field: value}})
    assert said.startswith(f"shop-analytics:{section}.{field} is {json.dumps(value)}: give ")


@pytest.mark.parametrize(
    ("config", "key", "says"),
    [
        ({"stream": {"minWorkers": 5, "maxWorkers": 4}}, "stream.minWorkers", "at most maxWorkers, 4"),
        ({"storage": {"archiveColdDays": 30, "archiveDays": 30}}, "storage.archiveDays", "more than archiveColdDays"),
        (
            {"publisher": {"start": "2019-10-02T00:00Z", "end": "2019-10-01T00:00Z"}},
            "publisher.end",
            "a time after start",
        ),
        (
            {"network": {"existing": "projects/my-project/global/networks/shared"}},
            "network.existingSubnetwork",
            "both or none",
        ),
        (
            {
                "network": {
                    "existing": "projects/p-shared/global/networks/shared",
                    "existingSubnetwork": "projects/p-shared/regions/us-east1/subnetworks/shared",
                }
            },
            "network.existingSubnetwork",
            "a subnetwork of the region europe-west1",
        ),
        (
            {"security": {"kmsKey": "projects/my-project/locations/us-east1/keyRings/shop/cryptoKeys/data"}},
            "security.kmsKey",
            "a key in europe-west1",
        ),
        (
            {
                "security": {"kmsKey": "projects/my-project/locations/europe-west1/keyRings/shop/cryptoKeys/data"},
                "warehouse": {"location": "EU"},
            },
            "warehouse.location",
            "europe-west1, where the key is",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(config: dict[str, Any], key: str, says: str) -> None:
    (said,) = problems({f"shop-analytics:{name}": value for name, value in config.items()})
    assert said.startswith(f"shop-analytics:{key} is ")
    assert says in said


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = problems({"shop-analytics:stream": {"maxWorkers": 0}, "shop-analytics:storage": {"location": "x"}})
    assert len(said) == 2


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"stream": {"maxWorker": 3}}, "did you mean shop-analytics:stream.maxWorkers"),
        ({"strem": False}, "did you mean shop-analytics:stream"),
        ({"network": "off"}, "give a map of settings"),
    ],
)
def test_a_setting_that_there_is_not_is_said_with_what_was_meant(config: dict[str, Any], says: str) -> None:
    (said,) = problems({f"shop-analytics:{name}": value for name, value in config.items()})
    assert says in said


def test_settings_of_other_programs_are_left_alone() -> None:
    load(GCP | {"docker:host": "ssh://somewhere", "other:stream": "3"}, "dev")


@pytest.mark.parametrize("environment", ["Dev", "1dev", "d", "my_env", "a-very-long-name", "dev-", "goog", "my-google"])
def test_a_stack_whose_name_cannot_begin_the_names_of_resources_is_refused(environment: str) -> None:
    (said,) = problems({}, environment)
    assert said.startswith(f'the stack is "{environment}": give a stack named by 2 to 12 small letters')


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"gcp:project": "My Project"}, "gcp:project"),
        ({"gcp:region": "europe"}, "gcp:region"),
        ({"gcp:zone": "us-east1-b"}, "gcp:zone"),
        ({"gcp:zone": "europe-west1"}, "gcp:zone"),
    ],
)
def test_a_wrong_place_is_refused(config: dict[str, str], key: str) -> None:
    assert any(said.startswith(f"{key} is ") for said in problems(config))


def test_a_project_that_buckets_cannot_be_named_after_needs_a_prefix() -> None:
    (said,) = problems({"gcp:project": "example.com:shop-1"})
    assert said.startswith("shop-analytics:storage.bucketPrefix is missing: give a prefix")
    load(GCP | {"gcp:project": "example.com:shop-1", "shop-analytics:storage": '{"bucketPrefix": "shop"}'}, "dev")


@pytest.mark.parametrize(("given", "enabled"), [("false", False), ("off", False), ("true", True), ("on", True)])
def test_a_section_may_be_given_as_its_switch_alone(given: str, enabled: bool) -> None:
    assert load(GCP | {"shop-analytics:stream": given}, "dev").stream.enabled is enabled


@pytest.mark.parametrize("given", ["false", "off"])
def test_off_is_false_in_some_yaml(given: str) -> None:
    assert load(GCP | {"shop-analytics:batch": given}, "dev").batch.run == "off"


def test_nothing_is_declared_where_a_setting_is_wrong() -> None:
    with pytest.raises(SettingsError):
        declare_stack("dev", {"shop-analytics:stream": '{"maxWorkers": 0}'})


def test_names_in_yaml_are_camel_case() -> None:
    assert camel_case("count_every_seconds") == "countEverySeconds"
    text = "".join((ROOT / f"Pulumi.{name}.yaml").read_text() for name in ("dev", "staging", "prod", "local"))
    assert "_" not in text.replace("pulumi config set", "")
