"""What a service fills in: the properties that a program can read and did not give."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from tests.infra.engine.stand_in.schema import Kind, Schema

_TIME: Final = "2026-01-01T00:00:00.000Z"
_NUMBER: Final = "123456789012"
_STATES: Final = {"gcp:dataflow/flexTemplateJob:FlexTemplateJob": "JOB_STATE_RUNNING"}
_TIMES: Final = {"creationTimestamp", "timeCreated", "createTime", "updated", "updateTime", "creationTime"}
VOLATILE: Final[Mapping[str, set[str]]] = {
    "docker-build:index:Image": {"digest", "ref"},
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob": {"jobId"},
    "gcp:storage/bucketObject:BucketObject": {"md5hash", "crc32c", "generation"},
    "docker:index/remoteImage:RemoteImage": {"imageId", "repoDigest"},
}
"""Filled-in properties that follow the inputs; all others stay as they were made."""


UNREAD: Final[Mapping[str, set[str]]] = {
    "gcp:dataflow/flexTemplateJob:FlexTemplateJob": {
        "machineType", "maxWorkers", "numWorkers", "sdkContainerImage", "stagingLocation", "tempLocation",
    },
}  # fmt: skip
"""Arguments that the provider asks the service for and never finds, so that they read back as nothing.

Of a job in Python: Dataflow has its options as Beam names them, `num_workers`, and pulumi-gcp 9.35 looks for
`numWorkers` (terraform-provider-google#21322, #23797).
"""


def filled_in(
    kind: str, schema: Schema, inputs: Mapping[str, Any], identity: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The outputs that always have a value and were not given, by name; `settings` are the provider's own."""
    known = {**settings, **inputs}
    found: dict[str, Any] = {}
    for name, output in schema.outputs.items():
        if name in inputs or not output.always:
            continue
        found[name] = _value(kind, name, output.kind, known, identity)
    if kind == "gcp:compute/instance:Instance":
        found["networkInterfaces"] = [{"networkIp": "10.0.0.2", **one} for one in inputs["networkInterfaces"]]
    return found


def digest_of(*parts: Any) -> str:
    """A stable digest of some values, 64 characters."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _value(kind: str, name: str, shape: Kind, known: Mapping[str, Any], identity: str) -> Any:
    stem = str(known.get("name") or identity.rsplit("/", 1)[-1])
    project = known.get("project", "")
    email = f"{known.get('accountId', stem)}@{project}.iam.gserviceaccount.com"
    labels = dict(known.get("labels") or {})
    written: dict[str, Any] = {
        "name": identity,
        "project": project,
        "region": known.get("region"),
        "zone": known.get("zone"),
        "selfLink": f"https://www.googleapis.com/v1/{identity}",
        "email": email,
        "member": f"serviceAccount:{email}",
        "url": f"gs://{stem}",
        "number": _NUMBER,
        "projectNumber": _NUMBER,
        "uniqueId": _digits(identity),
        "effectiveLabels": {**labels, "goog-pulumi-provisioned": "true"},
        "pulumiLabels": labels,
        "state": _STATES.get(kind, "ACTIVE"),
        "deletionPolicy": "DELETE",
        "imageId": f"sha256:{digest_of(kind, known.get('name'))}",
        "repoDigest": f"{stem.split('@')[0].split(':')[0]}@sha256:{digest_of(known.get('name'))}",
        "networkDatas": [{"ipAddress": "172.17.0.2", "gateway": "172.17.0.1", "networkName": "bridge"}],
        **dict.fromkeys(_TIMES, _TIME),
    }
    if written.get(name) is not None:
        return written[name]
    if name in VOLATILE.get(kind, ()):
        return digest_of(kind, name, sorted(map(repr, known.items())))[:32]
    if isinstance(shape, list):
        return [] if shape[0] == "list" else {}
    return {"string": f"{name}-{digest_of(identity)[:8]}", "boolean": False, "any": {}}.get(shape, 0)


def _digits(text: str) -> str:
    return str(int(digest_of(text)[:16], 16))
