"""Settings of what watches an environment."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.settings.declaration import Problem, setting
from infra.settings.forms import BILLING_ACCOUNT, EMAIL
from infra.settings.rules import integer, number, optional, several


@dataclass(frozen=True)
class OperationsSettings:
    """Alerts and the budget."""

    alert_emails: tuple[str, ...] = setting(
        (), several(EMAIL), "who gets alerts by e-mail; where empty, alerts are seen in the console alone"
    )
    unacked_seconds: int = setting(
        60, integer(10, 86_400, 60), "age of the oldest message from which there is an alert"
    )
    bad_event_share: float = setting(0.01, number(0, 1, 0.01), "share of bad events from which there is an alert")
    lag_seconds: int = setting(300, integer(10, 86_400, 300), "lag of the streaming job from which there is an alert")
    batch_hours: int = setting(
        26, integer(1, 720, 26), "hours without a batch run that ended well, after which there is an alert"
    )
    disk_share: float = setting(0.85, number(0.1, 1, 0.85), "filled share of a disk from which there is an alert")
    billing_account: str | None = setting(
        None, optional(BILLING_ACCOUNT), "the billing account that a budget is set in; no budget where empty"
    )
    budget: int = setting(500, integer(1, 10_000_000, 500), "the budget of a month, in the billing account's currency")
    budget_shares: tuple[float, ...] = setting(
        (0.5, 0.9, 1.0), several(number(0.01, 10, 0.9)), "shares of the budget at which there is an e-mail"
    )

    def problems(self, key: str) -> Iterator[Problem]:
        """Say that there is a budget that tells nobody."""
        if self.billing_account and not self.budget_shares:
            yield Problem(f"{key}.budgetShares", [], "one share at least, with a billing account", "[0.5, 0.9, 1.0]")
