"""What the environments declare follows every rule, without an exception, and is all known to the tables."""

import importlib
import inspect
import re
from typing import Any

import pytest

from infra.ci_permissions import PERMISSIONS
from infra.policy.labelling import LABELLED, USER_LABELLED
from infra.policy.pack import RULES
from tests.infra.declared import Resource
from tests.infra.environments import KEY, environment

WITH_ALL = {
    "operations": {"alertEmails": ["on-call@example.com"], "billingAccount": "012345-6789AB-CDEF01"},
    "ci": {"repository": "me/shop", "repositoryId": 4711, "stateBucket": "demo-pulumi", "stateKey": KEY},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dev": ("dev", {}),
    "staging": ("staging", {}),
    "prod": ("prod", {}),
    "prod with all": ("prod", WITH_ALL),
    "prod on Dataproc": ("prod", {"batch": "dataproc"}),
    "dev with a key of one's own": ("dev", {"security": {"kmsKey": KEY}}),
    "local": ("local", {}),
}


def declared(variant: str) -> list[Resource]:
    stack, given = VARIANTS[variant]
    return environment(stack, **given).resources


def sdk_inputs(resource_type: str) -> set[str]:
    """The inputs that a type of Google Cloud takes, in Python's names."""
    module, _, name = resource_type.removeprefix("gcp:").partition("/")
    resource = getattr(importlib.import_module(f"pulumi_gcp.{module}"), name.partition(":")[2])
    return set(inspect.signature(resource._internal_init).parameters)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_resource_follows_every_rule(variant: str) -> None:
    broken = [
        f"{resource.name} {complaint} ({rule.name})"
        for resource in declared(variant)
        for rule in RULES
        for complaint in rule.complaints(resource.type, {**resource.inputs, "options": {"protect": resource.protect}})
    ]
    assert broken == []


@pytest.mark.parametrize("variant", ["prod with all", "prod on Dataproc"])
def test_every_type_that_takes_labels_is_known_to_the_rule(variant: str) -> None:
    types = {resource.type for resource in declared(variant) if resource.type.startswith("gcp:")}
    assert {one for one in types if "labels" in sdk_inputs(one)} - {*LABELLED, *USER_LABELLED} == set()
    assert {one for one in types if "user_labels" in sdk_inputs(one)} <= set(USER_LABELLED)
    assert types & {*LABELLED, *USER_LABELLED}


@pytest.mark.parametrize("variant", ["prod with all", "prod on Dataproc", "dev with a key of one's own"])
def test_every_type_is_in_the_table_of_permissions(variant: str) -> None:
    assert {one.type for one in declared(variant) if one.type.startswith("gcp:")} - set(PERMISSIONS) == set()


def test_every_rule_of_a_type_that_there_is_has_something_to_judge() -> None:
    types = {resource.type for variant in VARIANTS for resource in declared(variant)}
    idle = {rule.name for rule in RULES if not any(rule.is_for(one) for one in types)}
    assert idle == {
        "bucket-no-access-lists",
        "project-no-ssh-keys",
        "iam-no-keys",
        "iam-no-whole-policy",
        "dataproc-own-service-account",
        "dataproc-private",
    }


def test_the_rules_know_the_names_of_types() -> None:
    assert all(re.fullmatch(r"(gcp|docker):[\w/*]+(:[\w*]+)?", pattern) for rule in RULES for pattern in rule.types)
