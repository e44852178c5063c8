"""The budget of an environment's project, which tells when costs near it."""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import billing, organizations

from infra.place import Place
from infra.settings.operations import OperationsSettings

NO_BUDGET: Final = (
    "There is no budget: nobody is told when costs rise. Set one with "
    "`pulumi config set --path shop-analytics:operations.billingAccount 012345-6789AB-CDEF01`."
)


@dataclass(frozen=True)
class BudgetArgs:
    """Whose costs, how much a month, and the channels that are told."""

    place: Place
    settings: OperationsSettings
    services: pulumi.Resource
    """Enabled before the project is asked for its number."""
    channels: list[pulumi.Output[str]]


class Budget(pulumi.ComponentResource):
    """A budget with thresholds, if there is a billing account; else nothing but a word that there is none."""

    says: pulumi.Output[str]
    """The budget in words, or that there is none and how to have one."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Budget", name, None, opts)
        settings = args.settings
        if settings.billing_account:
            self._budget(name, args, settings.billing_account)
        self.says = pulumi.Output.from_input(_words(settings))
        self.register_outputs({"says": self.says})

    def _budget(self, name: str, args: BudgetArgs, account: str) -> None:
        settings = args.settings
        billing.Budget(
            name,
            billing_account=account,
            display_name=name,
            amount=billing.BudgetAmountArgs(
                specified_amount=billing.BudgetAmountSpecifiedAmountArgs(units=str(settings.budget))
            ),
            budget_filter=billing.BudgetBudgetFilterArgs(
                projects=[pulumi.Output.format("projects/{0}", _number(args, self))], calendar_period="MONTH"
            ),
            threshold_rules=[
                *(_rule(share, "CURRENT_SPEND") for share in settings.budget_shares),
                # Told before it happens.
                _rule(1.0, "FORECASTED_SPEND"),
            ],
            all_updates_rule=_told(args.channels),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _number(args: BudgetArgs, parent: Budget) -> pulumi.Output[str]:
    """The project's number, asked for when the service that knows it is enabled: a budget takes no name."""
    asked = pulumi.InvokeOutputOptions(parent=parent, depends_on=[args.services])
    return organizations.get_project_output(project_id=args.place.project, opts=asked).number


def _rule(share: float, of: str) -> billing.BudgetThresholdRuleArgs:
    return billing.BudgetThresholdRuleArgs(threshold_percent=share, spend_basis=of)


def _told(channels: list[pulumi.Output[str]]) -> billing.BudgetAllUpdatesRuleArgs | None:
    if not channels:
        return None
    # Google takes five at most.
    return billing.BudgetAllUpdatesRuleArgs(monitoring_notification_channels=channels[:5])


def _words(settings: OperationsSettings) -> str:
    if not settings.billing_account:
        return NO_BUDGET
    shares = ", ".join(f"{share:.0%}" for share in settings.budget_shares)
    return f"{settings.budget} a month in {settings.billing_account}; e-mails at {shares}, and when 100% is forecast"
