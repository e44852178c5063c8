"""Rules for who may do what."""

import re
from collections.abc import Iterator
from typing import Final

from infra.policy.rule import Inputs, Rule, never, texts

_GRANT: Final = ("gcp:*IAMMember", "gcp:*IamMember", "gcp:*IAMBinding", "gcp:*IamBinding")
_WIDE_GRANT: Final = tuple(
    f"gcp:{part}:IAM{kind}" for part in ("projects/*", "folder/*", "organizations/*") for kind in ("Member", "Binding")
)
_BASIC: Final = ("roles/owner", "roles/editor", "roles/viewer", "roles/browser")
# Those who hold one of these on a whole project can become every service account of it.
_IMPERSONATION: Final = (
    "roles/iam.securityAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountKeyAdmin",
    "roles/iam.serviceAccountOpenIdTokenCreator",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountUser",
    "roles/iam.workloadIdentityUser",
    "roles/dataflow.admin",
    "roles/dataflow.developer",
    "roles/cloudbuild.builds.builder",
    "roles/cloudbuild.builds.editor",
    "roles/composer.worker",
    "roles/deploymentmanager.editor",
)
_ADMIN: Final = re.compile(r"roles/.*(?:[aA]dmin|editor|owner).*")
_SERVICE_AGENT: Final = re.compile(r"roles/.*\.serviceAgent")
_PUBLIC: Final = ("allUsers", "allAuthenticatedUsers")
_DEFAULT_ACCOUNT: Final = re.compile(r"serviceAccount:(?:\d+-compute@developer|.*@appspot)\.gserviceaccount\.com")
_GITHUB: Final = "https://token.actions.githubusercontent.com"
_REPOSITORY_SUBJECT: Final = re.compile(r"assertion\.sub\s*==\s*['\"]repo:[\w.-]+/[\w.-]+:[^'\"*]+['\"]")
_FEDERATION_CLAIMS: Final = ("repository_id", "workflow_ref")


def _members(inputs: Inputs) -> Iterator[str]:
    yield from texts(inputs, "member")
    yield from texts(inputs, "members[]")


def _no_public_member(inputs: Inputs) -> Iterator[str]:
    return (f"gives a role to {member}" for member in _members(inputs) if member in _PUBLIC)


def _no_default_account(inputs: Inputs) -> Iterator[str]:
    return (f"gives a role to {member}" for member in _members(inputs) if _DEFAULT_ACCOUNT.fullmatch(member))


def _no_basic_role(inputs: Inputs) -> Iterator[str]:
    return (f"gives the basic role {role}" for role in texts(inputs, "role") if role in _BASIC)


def _no_impersonation(inputs: Inputs) -> Iterator[str]:
    for role in texts(inputs, "role"):
        if role in _IMPERSONATION or _SERVICE_AGENT.fullmatch(role):
            yield f"gives {role} on all service accounts at once"


def _no_admin(inputs: Inputs) -> Iterator[str]:
    return (f"gives {role}" for role in texts(inputs, "role") if _ADMIN.fullmatch(role))


def _no_token_role(inputs: Inputs) -> Iterator[str]:
    for role in texts(inputs, "role"):
        if role == "roles/iam.serviceAccountTokenCreator":
            yield f"gives {role}, which makes tokens that outlive what they were made for"


def _is_bound(inputs: Inputs) -> Iterator[str]:
    if _GITHUB not in texts(inputs, "oidc.issuerUri"):
        yield f"trusts an issuer other than {_GITHUB}"
    conditions = list(texts(inputs, "attributeCondition"))
    if not conditions:
        yield "has no attribute_condition, and trusts every repository of GitHub"
    for condition in conditions:
        if not _REPOSITORY_SUBJECT.search(condition):
            yield "does not name the repository in assertion.sub"
        yield from (f"does not ask for assertion.{claim}" for claim in _FEDERATION_CLAIMS if claim not in condition)


RULES: Final = (
    Rule(
        "iam-not-public",
        "No role is given to everybody.",
        _GRANT,
        _no_public_member,
        "Name the account or the group.",
        ("CIS GCP 5.1", "CIS GCP 7.1", "CKV_GCP_28", "CKV_GCP_99", "CKV_GCP_100", "CKV_GCP_101", "CKV_GCP_112"),
    ),
    Rule(
        "iam-no-basic-role",
        "No basic role, as each opens thousands of permissions.",
        _GRANT,
        _no_basic_role,
        "Give the roles of the services that are used, on the resource that is used.",
        ("CKV_GCP_115", "CKV_GCP_116", "CKV_GCP_117"),
    ),
    Rule(
        "iam-no-impersonation",
        "No role to act as every service account of a project.",
        _WIDE_GRANT,
        _no_impersonation,
        "Give the role on the one service account, with serviceaccount.IAMMember.",
        ("CIS GCP 1.6", "CKV_GCP_41", "CKV_GCP_44", "CKV_GCP_45", "CKV_GCP_49"),
    ),
    Rule(
        "iam-no-token-creator",
        "Nobody makes tokens of another account.",
        _GRANT,
        _no_token_role,
        "Use roles/iam.serviceAccountUser to start a job as an account.",
        ("CIS GCP 1.6", "CKV_GCP_41"),
    ),
    Rule(
        "iam-no-admin",
        "No administrator's role on a whole project.",
        _WIDE_GRANT,
        _no_admin,
        "Give the role on the resource, or a role of your own with the permissions that are needed.",
        ("CIS GCP 1.5", "CKV_GCP_42"),
    ),
    Rule(
        "iam-no-default-account",
        "The default service accounts, which everything runs as that names none, get no role.",
        _GRANT,
        _no_default_account,
        "Make a service account for the job.",
        ("CKV_GCP_46", "CKV_GCP_47", "CKV_GCP_48"),
    ),
    Rule(
        "iam-no-keys",
        "No service account has a key file, which can be copied.",
        ("gcp:serviceaccount/key:Key",),
        never("is a key file"),
        "Use workload identity federation, or the machine's own account.",
        ("CIS GCP 1.4", "CKV2_GCP_3"),
    ),
    Rule(
        "iam-no-whole-policy",
        "No resource replaces a whole IAM policy, which takes away what others gave.",
        ("gcp:*IAMPolicy", "gcp:*IamPolicy", "gcp:projects/iAMBinding:IAMBinding"),
        never("replaces what it did not give"),
        "Use the IAMMember of the same resource.",
    ),
    Rule(
        "federation-bound",
        "Tokens of GitHub count only from one workflow of one repository.",
        ("gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",),
        _is_bound,
        "Ask in attribute_condition for assertion.sub, assertion.repository_id and assertion.workflow_ref.",
        ("CKV_GCP_118", "CKV_GCP_125"),
    ),
)
