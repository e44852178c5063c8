"""All rules, and how Pulumi runs them."""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from infra.policy import (
    containers,
    identity,
    jobs,
    labelling,
    machines,
    messaging,
    network,
    protection,
    storage,
    warehouse,
)
from infra.policy.rule import UNKNOWN, Inputs, Rule

NAME: Final = "shop"
"""The pack's name in Pulumi's output."""

CONCERNS: Final[Mapping[str, tuple[Rule, ...]]] = {
    module.__name__.rpartition(".")[2]: module.RULES
    for module in (
        storage,
        warehouse,
        messaging,
        machines,
        network,
        identity,
        jobs,
        containers,
        labelling,
        protection,
    )
}
"""The rules of each concern."""

RULES: Final = tuple(chain.from_iterable(CONCERNS.values()))
"""All rules."""


def policies() -> list[Policy]:
    """The rules as Pulumi's policies, each of which fails a preview."""
    return [_policy(rule) for rule in RULES]


def _policy(rule: Rule) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if rule.is_for(args.resource_type):
            inputs = {**_plain(args.props), "options": {"protect": args.opts.protect}}
            for complaint in rule.complaints(args.resource_type, inputs):
                report(f"{args.name} {complaint}. {rule.remedy}", None)

    numbers = f" ({', '.join(rule.benchmarks)})" if rule.benchmarks else ""
    return ResourceValidationPolicy(
        rule.name, rule.says + numbers, validate, EnforcementLevel.MANDATORY, remediation_steps=rule.remedy
    )


def _plain(inputs: Mapping[str, object]) -> Inputs:
    # Pulumi's mapping raises where a value is not known yet, which would end a rule before its other checks.
    return {key: _known(inputs, key) for key in inputs}


def _known(holder: object, key: object) -> object:
    try:
        value = holder[key]  # type: ignore[index]
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        return _plain(value)
    if hasattr(value, "__getitem__") and not isinstance(value, str):
        return [_known(value, position) for position in range(len(value))]
    return value
