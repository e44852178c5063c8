"""What watches an environment and who changes it: alerts, the dashboard, the budget, CI's identity, and the guards."""

from dataclasses import dataclass

import pulumi

from infra.alert_rules import StreamNames
from infra.alerts import Alerts, AlertsArgs
from infra.budget import Budget, BudgetArgs
from infra.ci_identity import CiIdentity, CiIdentityArgs
from infra.cloud_batch import CloudBatch
from infra.cost import estimate
from infra.dashboard import Dashboard, DashboardArgs
from infra.dashboard_reader import DashboardReader
from infra.deletion_guard import DeletionGuard
from infra.foundation import Foundation
from infra.messages import Messages
from infra.publisher import Publisher
from infra.settings import Settings
from infra.stream_job import StreamJob
from infra.warehouse import Warehouse


@dataclass(frozen=True)
class Stream:
    """What streams."""

    messages: Messages
    warehouse: Warehouse
    reader: DashboardReader
    job: StreamJob
    publisher: Publisher | None


@dataclass(frozen=True)
class OperationsArgs:
    """What there is to watch; a pipeline that is switched off is None."""

    settings: Settings
    ground: Foundation
    stream: Stream | None
    batch: CloudBatch | None


class Operations(pulumi.ComponentResource):
    """Everything that an engineer on call, a finance officer and CI need of an environment."""

    dashboard: pulumi.Output[str]
    """Address of the dashboard."""
    budget: pulumi.Output[str]
    """The budget in words, or that there is none."""
    ci: pulumi.Output[dict[str, str]]
    """What the workflows have to know, or why CI has no identity."""

    def __init__(self, name: str, args: OperationsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Operations", name, None, opts)
        child, place, settings = pulumi.ResourceOptions(parent=self), args.settings.place, args.settings.operations
        names, machines = _stream_names(args), _machines(args)
        alerts = Alerts(
            place.name("alerts"),
            AlertsArgs(place, settings, names, args.batch is not None, machines, tuple(machines)),
            child,
        )
        dashboard = Dashboard(
            place.name("dashboard"), DashboardArgs(place, names, args.batch is not None, machines), child
        )
        budget = Budget(place.name("budget"), BudgetArgs(place, settings, args.ground.services, alerts.channels), child)
        ci = CiIdentity(
            place.name("ci"),
            CiIdentityArgs(place, args.settings.ci, args.ground.storage.staging, _accounts(args)),
            child,
        )
        self.dashboard, self.budget, self.ci = dashboard.url, budget.says, ci.says
        self._guard(args, [alerts, dashboard, budget, ci])
        self._costs = estimate(args.settings).as_json()
        self.register_outputs({"dashboard": self.dashboard, "budget": self.budget, "ci": self.ci})

    def _guard(self, args: OperationsArgs, own: list[pulumi.Resource]) -> None:
        """A side that is switched off goes as a whole or not at all, as the environment does.

        What is shared has parts for one side alone, such as its services, so that each guard stands before it too.
        """
        sides: dict[str, list[pulumi.Resource]] = {}
        if args.stream:
            sides["stream"] = [args.stream.messages, args.stream.warehouse, args.stream.reader, args.stream.job]
        if args.batch:
            sides["batch"] = [args.batch]
        shared = [args.ground, *own]
        place, protects = args.settings.place, args.settings.security.deletion_protection
        guards = [
            DeletionGuard(place.name(f"{side}-deletion-protection"), [*parts, *shared], self, protects=protects)
            for side, parts in sides.items()
        ]
        publisher = [args.stream.publisher] if args.stream and args.stream.publisher else []
        DeletionGuard(place.name("deletion-protection"), [*shared, *guards, *publisher], self, protects=protects)

    def export(self) -> None:
        """Export the dashboard, the budget, what CI has to know, and the estimate of the monthly cost by component."""
        pulumi.export("operations", {"dashboard": self.dashboard, "budget": self.budget})
        pulumi.export("ci", self.ci)
        shown = ("usdAMonth", "byComponent", "pricesOf", "caution")
        pulumi.export("cost", {key: self._costs[key] for key in shown})


def _stream_names(args: OperationsArgs) -> StreamNames | None:
    if not args.stream:
        return None
    messages, job = args.stream.messages, args.stream.job
    return StreamNames(messages.subscription, job.job_name, args.settings.place.region)


def _machines(args: OperationsArgs) -> dict[str, pulumi.Input[str]]:
    found: dict[str, pulumi.Input[str]] = {}
    if args.stream and args.stream.publisher:
        found["publisher"] = args.stream.publisher.instance
    if args.batch:
        found["batch"] = args.batch.host.instance.name
    return found


def _accounts(args: OperationsArgs) -> dict[str, pulumi.Input[str]]:
    emails: dict[str, pulumi.Input[str]] = {}
    if args.stream:
        emails["stream"] = args.stream.job.account
        if args.stream.publisher:
            emails["publisher"] = args.stream.publisher.account
    if args.batch:
        emails["batch"] = args.batch.host.account
        if args.batch.dataproc:
            emails |= {"batch-job": args.batch.dataproc.account, "batch-start": args.batch.dataproc.starter}
    path = f"projects/{args.settings.place.project}/serviceAccounts/"
    return {role: pulumi.Output.concat(path, email) for role, email in emails.items()}
