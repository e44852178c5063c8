"""Each rule finds what breaks it, and lets pass what follows it or is not known yet."""

import importlib
import inspect
import re
from typing import Any

import pytest

from infra.policy.pack import CONCERNS, RULES
from infra.policy.rule import UNKNOWN, Rule, all_of, must_be, must_have, must_not_have, values
from tests.infra.policy.cases import CASES, MACHINE, SUBSCRIPTION, TABLE, Case

BY_NAME = {rule.name: rule for rule in RULES}


def test_every_rule_has_a_resource_that_breaks_it() -> None:
    assert set(CASES) == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)
    assert all(case.breaks for case in CASES.values())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.follows is not None])
def test_what_follows_a_rule_passes(name: str) -> None:
    assert BY_NAME[name].complaints(CASES[name].type, CASES[name].follows or {}) == []


@pytest.mark.parametrize(
    ("name", "inputs"), [(name, inputs) for name, case in CASES.items() for inputs in case.breaks], ids=str
)
def test_what_breaks_a_rule_is_found(name: str, inputs: dict[str, Any]) -> None:
    assert BY_NAME[name].complaints(CASES[name].type, inputs)


@pytest.mark.parametrize("name", CASES)
def test_a_rule_is_silent_for_other_types(name: str) -> None:
    assert BY_NAME[name].complaints("gcp:cloudscheduler/job:Job", {}) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_what_it_is_for_and_what_to_do(rule: Rule) -> None:
    assert rule.says.endswith(".")
    assert rule.remedy.endswith(".")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert all(re.fullmatch(r"CIS (GCP|Docker) \d\.\d+|CKV2?_GCP_\d+", number) for number in rule.benchmarks)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_types_and_properties_are_those_of_the_providers(case: Case) -> None:
    provider, module, name = case.type.replace("/", ":").split(":")[0], *re.split("[:/]", case.type)[1:4:2]
    package = f"pulumi_{provider}" + ("" if module == "index" else f".{module}")
    resource = getattr(importlib.import_module(package), name)
    assert resource.pulumi_type == case.type
    accepted = inspect.signature(resource._internal_init).parameters
    for inputs in (case.follows or {}, *case.breaks):
        assert {re.sub("([A-Z])", r"_\1", key).lower() for key in inputs} - {"members", "options"} <= set(accepted)


def test_only_protected_environments_are_protected() -> None:
    inputs = {"labels": {"environment": "dev"}, "deletionProtection": False, "forceDestroy": True}
    for rule in CONCERNS["protection"]:
        assert [complaint for kind in rule.types for complaint in rule.complaints(kind, inputs)] == []


def test_a_view_needs_no_deletion_protection() -> None:
    view = {"labels": {"environment": "prod"}, "view": {"query": "SELECT 1"}, "deletionProtection": False}
    assert BY_NAME["protected-tables"].complaints(TABLE, view) == []


@pytest.mark.parametrize("sources", [{"sourceServiceAccounts": ["x@y"]}, {"sourceTags": ["batch-job"]}])
def test_ssh_between_machines_of_the_network_is_no_open_door(sources: dict[str, Any]) -> None:
    inputs = {"allows": [{"protocol": "tcp", "ports": ["22"]}], **sources}
    assert BY_NAME["firewall-ssh-from-iap"].complaints("gcp:compute/firewall:Firewall", inputs) == []


def test_a_job_that_ends_needs_no_health_check() -> None:
    assert BY_NAME["container-watched"].complaints("docker:index/container:Container", {"mustRun": False}) == []


@pytest.mark.parametrize(
    ("name", "kind", "inputs"),
    [
        ("vm-own-service-account", MACHINE, {"serviceAccount": {"email": UNKNOWN}}),
        ("vm-own-service-account", MACHINE, {"serviceAccount": UNKNOWN}),
        ("vm-no-public-address", MACHINE, {"networkInterfaces": UNKNOWN}),
        ("subscription-retention", SUBSCRIPTION, {"messageRetentionDuration": UNKNOWN}),
        ("bucket-recoverable", "gcp:storage/bucket:Bucket", {"versioning": UNKNOWN}),
        ("container-inside", "docker:index/container:Container", {"ports": [{"ip": UNKNOWN}]}),
    ],
)
def test_what_is_not_known_yet_is_not_judged(name: str, kind: str, inputs: dict[str, Any]) -> None:
    assert BY_NAME[name].complaints(kind, inputs) == []


def test_a_path_leads_through_lists_and_mappings() -> None:
    inputs = {"a": [{"b": [1, 2]}, {"b": [3]}, {}], "c": {"d": False}}
    assert list(values(inputs, "a[].b[]")) == [1, 2, 3]
    assert list(values(inputs, "c.d")) == [False]
    assert list(values(inputs, "c.e.f")) == []


def test_a_complaint_names_the_property_its_value_and_what_it_must_be() -> None:
    assert list(must_be("a.b", "x")({"a": {"b": "y"}})) == ["sets a.b to 'y', which must be 'x'"]
    assert list(must_be("a", True)({})) == ["does not set a, which must be true"]
    assert list(must_have("a")({"a": []})) == ["does not set a"]
    assert list(must_not_have("a")({"a": 1})) == ["sets a to 1"]
    assert list(all_of(must_have("a"), must_have("b"))({})) == ["does not set a", "does not set b"]
