"""Runs a Pulumi program, or a part of one, without an engine, and keeps what it declares.

    declared = declare(lambda: Network("dev-network", NetworkArgs(place, settings)), stack="dev")
    subnet = declared.one("gcp:compute/subnetwork:Subnetwork")
    assert subnet.inputs["privateIpGoogleAccess"]

Every custom resource gets an id and echoes its inputs; `COMPUTED` adds what a provider would.
"""

import asyncio
import os
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.runtime import mocks, rpc, set_mocks
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from infra.machine_login import SWITCH

# No test logs in to a machine in the cloud.
os.environ[SWITCH] = "off"

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "shop-analytics"
GCP = {"gcp:project": "demo-project", "gcp:region": "europe-west1"}
"""The settings that have no default."""


@dataclass(frozen=True)
class Resource:
    """A resource as it was declared."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    custom: bool
    parent: str
    depends_on: frozenset[str]
    """Names of resources that it waits for."""
    protect: bool


@dataclass
class Declared:
    """What a program has declared, in order."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    result: Any = None

    def all(self, type_: str) -> list[Resource]:
        """All resources of a type."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name: str | None = None) -> Resource:
        """The one resource of a type (and name)."""
        found = [one for one in self.all(type_) if name in (None, one.name)]
        assert len(found) == 1, f"{len(found)} of {type_} {name or ''}: {[one.name for one in found]}"
        return found[0]

    def names(self) -> Iterator[str]:
        """The name of each resource."""
        return (resource.name for resource in self.resources)


def computed(type_: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a provider adds to the inputs of a resource."""
    project = inputs.get("project", GCP["gcp:project"])
    match type_:
        case "gcp:serviceaccount/account:Account":
            email = f"{inputs['accountId']}@{project}.iam.gserviceaccount.com"
            path = f"projects/{project}/serviceAccounts/{email}"
            return {"email": email, "member": f"serviceAccount:{email}", "name": path}
        case "gcp:iam/workloadIdentityPool:WorkloadIdentityPool":
            return {"name": _pool(inputs)}
        case "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider":
            return {"name": f"{_pool(inputs)}/providers/{inputs['workloadIdentityPoolProviderId']}"}
        case "gcp:projects/iAMCustomRole:IAMCustomRole":
            return {"name": f"projects/{project}/roles/{inputs['roleId']}"}
        case "gcp:monitoring/notificationChannel:NotificationChannel":
            return {"name": f"projects/{project}/notificationChannels/{name}"}
        case "gcp:monitoring/alertPolicy:AlertPolicy":
            return {"name": f"projects/{project}/alertPolicies/{name}"}
        case "gcp:projects/serviceIdentity:ServiceIdentity":
            email = f"service-123456789@gcp-sa-{inputs['service'].partition('.')[0]}.iam.gserviceaccount.com"
            return {"email": email, "member": f"serviceAccount:{email}"}
        case "docker-build:index:Image":
            digest = "sha256:" + "1" * 64
            return {"digest": digest, "ref": f"{inputs['tags'][0]}@{digest}", "contextHash": "0"}
        case "gcp:dataflow/flexTemplateJob:FlexTemplateJob":
            return {"jobId": "2026-11-24_00_00_00-1", "state": "JOB_STATE_RUNNING"}
        case "pulumi-python:dynamic/shop:Passwords":
            return {"values": {role: f"password-of-{role}" for role in inputs["roles"]}}
        case "pulumi-python:dynamic/shop:DeletionGuard":
            return {}
        case "pulumi-python:dynamic/shop:StackId":
            return {"value": "0123456789abcdef"}
        case "pulumi-python:dynamic/shop:MachineCommand":
            return {"stdout": "sha256:" + "2" * 64 if "pull.sh" in inputs["command"] else "somebody"}
        case "docker:index/remoteImage:RemoteImage":
            return {"imageId": "sha256:" + "3" * 64}
        case "gcp:compute/instance:Instance":
            return {"instanceId": "1234567890"}
        case "gcp:compute/address:Address":
            return {"address": "10.20.0.9"}
        case "gcp:storage/bucketObject:BucketObject":
            return {"outputName": inputs["name"]}
    return {}


def _pool(inputs: Mapping[str, Any]) -> str:
    return f"projects/123456789/locations/global/workloadIdentityPools/{inputs['workloadIdentityPoolId']}"


class _Mocks(mocks.Mocks):
    def __init__(self, declared: Declared, answers: Mapping[str, Any]) -> None:
        self._declared = declared
        self._answers = answers

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        id_ = _id(args.typ, args.name, args.inputs)
        return id_, dict(args.inputs) | computed(args.typ, args.name, args.inputs)

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        if args.token in self._answers:
            return dict(self._answers[args.token])
        known = {
            "gcp:organizations/getClientConfig:getClientConfig": {"accessToken": "token", "project": "demo-project"},
            "gcp:organizations/getProject:getProject": {"number": "123456789", "projectId": "demo-project"},
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {
                "emailAddress": "service-123456789@gs-project-accounts.iam.gserviceaccount.com",
                "member": "serviceAccount:service-123456789@gs-project-accounts.iam.gserviceaccount.com",
            },
            "gcp:bigquery/getDefaultServiceAccount:getDefaultServiceAccount": {
                "email": "bq-123456789@bigquery-encryption.iam.gserviceaccount.com",
                "member": "serviceAccount:bq-123456789@bigquery-encryption.iam.gserviceaccount.com",
            },
        }
        return known.get(args.token, {})


class _Monitor(mocks.MockMonitor):
    """Keeps what the mocks do not hear of: parents and dependencies."""

    def __init__(self, declared: Declared, answers: Mapping[str, Any]) -> None:
        super().__init__(_Mocks(declared, answers))
        self._declared = declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name for it
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
            self._declared.resources.append(
                Resource(
                    request.type,
                    request.name,
                    _plain(inputs),
                    request.custom,
                    request.parent.rpartition("::")[2],
                    frozenset(urn.rpartition("::")[2] for urn in request.dependencies),
                    request.protect,
                )
            )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's name for it
        if "pulumi:pulumi:Stack" in request.urn.split("::")[2].split("$")[-1]:
            self._declared.outputs.update(_plain(rpc.deserialize_properties(request.outputs)))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def declare(
    program: Callable[[], Any],
    *,
    stack: str = "dev",
    config: Mapping[str, Any] | None = None,
    answers: Mapping[str, Any] | None = None,
) -> Declared:
    """Run a program and give what it declared, its outputs, and what it returned. `answers` are those of invokes."""
    declared = Declared()
    monitor = _Monitor(declared, answers or {})
    before = CONFIG.get()
    CONFIG.set(dict(config or {}))

    async def run() -> None:
        async def body() -> None:
            declared.result = program()

        set_mocks(monitor.mocks, PROJECT, stack, preview=False, monitor=monitor, organization="shop")
        set_root_resource(None)  # type: ignore[arg-type]
        await run_in_stack(body)

    try:
        with asyncio.Runner() as runner:
            runner.run(run())
    finally:
        CONFIG.set(before)
    return declared


def declare_stack(
    stack: str, config: Mapping[str, Any] | None = None, answers: Mapping[str, Any] | None = None
) -> Declared:
    """Run the whole program as an environment, with the settings of its file; `config` adds to them."""
    return declare(
        lambda: runpy.run_path(str(ROOT / "infra" / "__main__.py"), run_name="__main__"),
        stack=stack,
        config=GCP | stack_file(stack) | dict(config or {}),
        answers=answers,
    )


def stack_file(stack: str) -> dict[str, str]:
    """The settings of `Pulumi.<stack>.yaml`, as the engine gives them to a program."""
    import json

    import yaml

    given = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text()) or {}
    return {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in given.get("config", {}).items()
    }


def _id(type_: str, name: str, inputs: Mapping[str, Any]) -> str:
    project = inputs.get("project", GCP["gcp:project"])
    named = inputs.get("name", name)
    match type_:
        case "gcp:compute/network:Network":
            return f"projects/{project}/global/networks/{named}"
        case "gcp:compute/subnetwork:Subnetwork":
            return f"projects/{project}/regions/{inputs['region']}/subnetworks/{named}"
        case "gcp:pubsub/topic:Topic":
            return f"projects/{project}/topics/{named}"
        case "gcp:pubsub/subscription:Subscription":
            return f"projects/{project}/subscriptions/{named}"
        case "gcp:storage/bucket:Bucket":
            return str(named)
        case "gcp:bigquery/dataset:Dataset":
            return f"projects/{project}/datasets/{inputs['datasetId']}"
        case "gcp:bigquery/table:Table":
            return f"projects/{project}/datasets/{inputs['datasetId']}/tables/{inputs['tableId']}"
        case "gcp:artifactregistry/repository:Repository":
            return f"projects/{project}/locations/{inputs['location']}/repositories/{inputs['repositoryId']}"
    return f"{named}-id"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping) and rpc._special_sig_key in value:
        return _plain(value.get("value"))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
