"""Who reads the answers: the account of dashboards such as Tableau's, and people by their own accounts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import bigquery, projects

from infra.accounts import account
from infra.place import Place


@dataclass(frozen=True)
class DashboardReaderArgs:
    """Where the answers are; `members` are members of IAM that read them too."""

    place: Place
    answers: pulumi.Input[str]
    members: Sequence[str]


class DashboardReader(pulumi.ComponentResource):
    """An account that may query the answers and see nothing else."""

    email: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardReaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:DashboardReader", name, None, opts)
        place, child = args.place, pulumi.ResourceOptions(parent=self)
        reader = account(name, place, "Dashboards: reads the answers in BigQuery", child)
        readers: dict[str, pulumi.Input[str]] = {
            "account": reader.member,
            **{member: member for member in args.members},
        }
        for who, member in readers.items():
            bigquery.DatasetIamMember(
                f"{name}-reads-answers-{who}",
                project=place.project,
                dataset_id=args.answers,
                role="roles/bigquery.dataViewer",
                member=member,
                opts=child,
            )
            projects.IAMMember(
                f"{name}-queries-{who}",
                project=place.project,
                role="roles/bigquery.jobUser",
                member=member,
                opts=child,
            )
        self.email = reader.email
        self.register_outputs({"email": self.email})
