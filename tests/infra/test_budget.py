"""A budget tells when costs near it; where there is none, the outputs say so."""

import pulumi

from infra.budget import NO_BUDGET, Budget, BudgetArgs
from infra.place import Place
from infra.services import Services, ServicesArgs
from infra.settings.operations import OperationsSettings
from tests.infra.declared import Declared, declare

PLACE = Place("dev", "demo-project", "europe-west1", "europe-west1-b")
BUDGET = "gcp:billing/budget:Budget"
ACCOUNT = "012345-6789AB-CDEF01"


def budget(settings: OperationsSettings, channels: int = 1) -> tuple[Declared, list[str]]:
    """What is declared, and what the budget says."""
    said: list[str] = []

    def program() -> None:
        told = [pulumi.Output.from_input(f"projects/p/notificationChannels/{number}") for number in range(channels)]
        services = Services("dev-services", ServicesArgs(PLACE, ("cloudresourcemanager",)))
        Budget("dev-budget", BudgetArgs(PLACE, settings, services, told)).says.apply(said.append)

    return declare(program), said


def test_it_is_of_the_project_and_of_a_month() -> None:
    declared, said = budget(OperationsSettings(billing_account=ACCOUNT, budget=750, budget_shares=(0.5, 0.9)))
    inputs = declared.one(BUDGET).inputs
    assert inputs["billingAccount"] == ACCOUNT
    assert inputs["amount"] == {"specifiedAmount": {"units": "750"}}
    assert inputs["budgetFilter"] == {"projects": ["projects/123456789"], "calendarPeriod": "MONTH"}
    assert [(rule["thresholdPercent"], rule["spendBasis"]) for rule in inputs["thresholdRules"]] == [
        (0.5, "CURRENT_SPEND"),
        (0.9, "CURRENT_SPEND"),
        (1, "FORECASTED_SPEND"),
    ]
    assert said[0].startswith(f"750 a month in {ACCOUNT}")


def test_it_tells_five_channels_at_most() -> None:
    declared, _ = budget(OperationsSettings(billing_account=ACCOUNT), channels=7)
    assert len(declared.one(BUDGET).inputs["allUpdatesRule"]["monitoringNotificationChannels"]) == 5


def test_without_channels_it_tells_those_who_administer_billing() -> None:
    declared, _ = budget(OperationsSettings(billing_account=ACCOUNT), channels=0)
    assert "allUpdatesRule" not in declared.one(BUDGET).inputs


def test_without_a_billing_account_there_is_none_and_the_outputs_say_so() -> None:
    declared, said = budget(OperationsSettings())
    assert declared.all(BUDGET) == []
    assert said == [NO_BUDGET]
