"""What the providers' functions answer, e.g. `gcp:organizations/getProject:getProject`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

_NUMBER: Final = "123456789012"
_Arguments = Mapping[str, Any]


class UnknownFunction(LookupError):  # noqa: N818 - what is unknown
    """The stand-in has no answer for this function."""


def answer(token: str, arguments: _Arguments, settings: _Arguments) -> dict[str, Any]:
    """The function's result; `settings` are the provider's own. Raises UnknownFunction."""
    function = _FUNCTIONS.get(token)
    if not function:
        raise UnknownFunction(f"The stand-in has no answer for {token}: add it to {__name__}.")
    known = {**settings, **arguments}
    return {"id": token, **arguments, **function(known)}


def _project(known: _Arguments) -> dict[str, Any]:
    project = known.get("projectId") or known.get("project", "")
    return {"projectId": project, "number": _NUMBER, "name": project, "labels": {}, "billingAccount": "000000-000000"}


def _agent(name: str, key: str) -> Callable[[_Arguments], dict[str, Any]]:
    email = f"{name.format(number=_NUMBER)}.iam.gserviceaccount.com"
    return lambda known: {key: email, "member": f"serviceAccount:{email}", "project": known.get("project", "")}


_FUNCTIONS: Final[Mapping[str, Callable[[_Arguments], dict[str, Any]]]] = {
    "gcp:organizations/getProject:getProject": _project,
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": _agent(
        "service-{number}@gs-project-accounts", "emailAddress"
    ),
    "gcp:bigquery/getDefaultServiceAccount:getDefaultServiceAccount": _agent(
        "bq-{number}@bigquery-encryption", "email"
    ),
    "gcp:organizations/getClientConfig:getClientConfig": lambda known: {
        "project": known.get("project", ""),
        "region": known.get("region", ""),
        "zone": known.get("zone", ""),
        "accessToken": "none",
    },
    "gcp:compute/getZones:getZones": lambda known: {
        "names": [f"{known.get('region', '')}-{zone}" for zone in "abc"],
        "project": known.get("project", ""),
    },
    "gcp:compute/getImage:getImage": lambda known: {
        "name": known.get("family", "image"),
        "selfLink": f"https://www.googleapis.com/compute/v1/projects/{known.get('project')}/global/images/image-1",
    },
}
