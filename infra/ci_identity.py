"""Who CI is in Google Cloud: two accounts without keys, which only the workflows of one repository can use.

    pull request  .github/workflows/preview.yml  -> CI preview, which only looks
    each night    .github/workflows/drift.yml    -> CI preview
    deployment    .github/workflows/deploy.yml   -> CI deploy, after the approval that GitHub's environment asks for

A token of GitHub is taken only with the repository's number and name, the workflow's file and the branch in it. Pull
requests from forks get no token from GitHub. Neither account can change this file's resources: a person does that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
from pulumi_gcp import iam, kms, projects, serviceaccount, storage

from infra.accounts import account
from infra.ci_permissions import reading, writing
from infra.place import Place
from infra.settings.ci import CiSettings

_ISSUER: Final = "https://token.actions.githubusercontent.com"
_GRANTED_ON_PROJECT: Final = (
    "roles/bigquery.jobUser",
    "roles/bigquery.readSessionUser",
    "roles/dataflow.worker",
    "roles/dataproc.worker",
    "roles/logging.logWriter",
    "roles/monitoring.metricWriter",
)


@dataclass(frozen=True)
class CiIdentityArgs:
    """The repository, the bucket of Dataflow's template, and the accounts that jobs run as, by role."""

    place: Place
    settings: CiSettings
    staging: pulumi.Input[str] | None
    accounts: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Ids of service accounts: projects/P/serviceAccounts/EMAIL."""


class CiIdentity(pulumi.ComponentResource):
    """CI's accounts and whom they trust; nothing where the settings name no repository."""

    says: pulumi.Output[dict[str, str]]
    """The variable of the environment in the GitHub repository, which the workflows read; or why there is none."""

    def __init__(self, name: str, args: CiIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:CiIdentity", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        repository, number = args.settings.repository, args.settings.repository_id
        if repository and number:
            self.says = self._identity(_Trust(args.place.environment, repository, number, args.settings.branch))
        else:
            self.says = pulumi.Output.from_input({"none": "Set ci.repository and ci.repositoryId to deploy from CI."})
        self.register_outputs({"says": self.says})

    def _identity(self, trust: "_Trust") -> pulumi.Output[dict[str, str]]:
        place = self._args.place
        pool = iam.WorkloadIdentityPool(
            place.name("github"),
            workload_identity_pool_id=place.name(self._args.settings.pool),
            project=place.project,
            description=f"Workflows of {trust.repository}",
            opts=self._child,
        )
        preview = self._account("preview", "CI looks at what would change", reading())
        deploy = self._account("deploy", "CI changes the environment", writing())
        preview_provider = self._trusting("preview", pool, trust.preview_condition)
        deploy_provider = self._trusting("deploy", pool, trust.deploy_condition)
        for who, subject in (("preview", trust.pull_request), ("drift", trust.on_branch)):
            self._lets_use(who, preview, pool, subject)
        self._lets_use("deploy", deploy, pool, trust.on_environment)
        self._may_give_roles(deploy)
        self._may_start_jobs(deploy)
        self._state(preview, deploy)
        return pulumi.Output.all(
            project=place.project,
            registry=f"{place.region}-docker.pkg.dev",
            backend=f"gs://{self._args.settings.state_bucket}",
            previewAccount=preview.email,
            previewProvider=preview_provider.name,
            deployAccount=deploy.email,
            deployProvider=deploy_provider.name,
        )

    def _account(self, job: str, description: str, permissions: list[str]) -> serviceaccount.Account:
        place = self._args.place
        name = place.name(f"ci-{job}")
        made = account(name, place, description, self._child)
        role = projects.IAMCustomRole(
            name,
            role_id=name.replace("-", "_"),
            project=place.project,
            title=f"{name}: {description}",
            description="Made from infra/ci_permissions.py",
            permissions=permissions,
            opts=self._child,
        )
        projects.IAMMember(name, project=place.project, role=role.name, member=made.member, opts=self._child)
        return made

    def _trusting(self, job: str, pool: iam.WorkloadIdentityPool, condition: str) -> iam.WorkloadIdentityPoolProvider:
        return iam.WorkloadIdentityPoolProvider(
            self._args.place.name(f"github-{job}"),
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id=f"github-{job}",
            project=self._args.place.project,
            attribute_mapping={"google.subject": "assertion.sub", "attribute.repository_id": "assertion.repository_id"},
            attribute_condition=condition,
            oidc=iam.WorkloadIdentityPoolProviderOidcArgs(issuer_uri=_ISSUER),
            opts=self._child,
        )

    def _lets_use(self, who: str, used: serviceaccount.Account, pool: iam.WorkloadIdentityPool, subject: str) -> None:
        serviceaccount.IAMMember(
            self._args.place.name(f"github-{who}"),
            service_account_id=used.name,
            role="roles/iam.workloadIdentityUser",
            member=pulumi.Output.concat("principal://iam.googleapis.com/", pool.name, "/subject/", subject),
            opts=self._child,
        )

    def _may_give_roles(self, deploy: serviceaccount.Account) -> None:
        place = self._args.place
        name = place.name("ci-grant")
        role = projects.IAMCustomRole(
            name,
            role_id=name.replace("-", "_"),
            project=place.project,
            title=f"{name}: CI gives the roles that the jobs need",
            permissions=["resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"],
            opts=self._child,
        )
        listed = ", ".join(f"'{granted}'" for granted in granted_on_project(place))
        projects.IAMMember(
            name,
            project=place.project,
            role=role.name,
            member=deploy.member,
            condition=projects.IAMMemberConditionArgs(
                title="only the roles of the jobs",
                expression=f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{listed}])",
            ),
            opts=self._child,
        )

    def _may_start_jobs(self, deploy: serviceaccount.Account) -> None:
        for role, job in self._args.accounts.items():
            serviceaccount.IAMMember(
                self._args.place.name(f"ci-starts-{role}"),
                service_account_id=job,
                role="roles/iam.serviceAccountUser",
                member=deploy.member,
                opts=self._child,
            )

    def _state(self, preview: serviceaccount.Account, deploy: serviceaccount.Account) -> None:
        settings, place = self._args.settings, self._args.place
        buckets = {"state": settings.state_bucket, "staging": self._args.staging}
        for (use, bucket), (job, made, role) in (
            (bucket, user)
            for bucket in buckets.items()
            for user in (
                ("preview", preview, "roles/storage.objectViewer"),
                ("deploy", deploy, "roles/storage.objectUser"),
            )
        ):
            if bucket is not None:
                storage.BucketIAMMember(
                    place.name(f"ci-{job}-{use}"), bucket=bucket, role=role, member=made.member, opts=self._child
                )
        for job, made, role in (
            ("preview", preview, "roles/cloudkms.cryptoKeyDecrypter"),
            ("deploy", deploy, "roles/cloudkms.cryptoKeyEncrypterDecrypter"),
        ):
            if settings.state_key:
                kms.CryptoKeyIAMMember(
                    place.name(f"ci-{job}-state-key"),
                    crypto_key_id=settings.state_key,
                    role=role,
                    member=made.member,
                    opts=self._child,
                )


def granted_on_project(place: Place) -> list[str]:
    """The roles on the project that the program gives, and so the only ones that CI deploy may give or take."""
    own = f"projects/{place.project}/roles/{place.environment.replace('-', '_')}_batch_start"
    return [*_GRANTED_ON_PROJECT, own]


@dataclass(frozen=True)
class _Trust:
    """What a token of GitHub must say."""

    environment: str
    repository: str
    repository_id: int
    branch: str

    @property
    def pull_request(self) -> str:
        return f"repo:{self.repository}:pull_request"

    @property
    def on_branch(self) -> str:
        return f"repo:{self.repository}:ref:refs/heads/{self.branch}"

    @property
    def on_environment(self) -> str:
        return f"repo:{self.repository}:environment:{self.environment}"

    @property
    def preview_condition(self) -> str:
        preview = f"{self._is(self.pull_request)} && assertion.workflow_ref.startsWith('{self._workflow('preview')}@')"
        drift = f"{self._is(self.on_branch)} && assertion.workflow_ref == '{self._workflow('drift')}@{self._ref}'"
        return f"{self._is_repository} && (({preview}) || ({drift}))"

    @property
    def deploy_condition(self) -> str:
        workflow = f"assertion.workflow_ref == '{self._workflow('deploy')}@{self._ref}'"
        return f"{self._is(self.on_environment)} && {self._is_repository} && {workflow}"

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def _is_repository(self) -> str:
        return f"assertion.repository_id == '{self.repository_id}'"

    def _workflow(self, name: str) -> str:
        return f"{self.repository}/.github/workflows/{name}.yml"

    def _is(self, subject: str) -> str:
        return f"assertion.sub == '{subject}'"
