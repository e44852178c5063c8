"""Containers as Docker and its provider handle them, seen with Docker 20.10 and 28.5 and pulumi-docker 5.2.

A name is taken from the moment that the daemon has made a container, also where the provider did not live to tell. Who
waits for a container to be healthy is not told of a process that has ended or of probes that fail, and waits on. What
the provider gives up is kept in the state as begun; an update does not take it up again.
"""

import hashlib
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, struct_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status
from pulumi.runtime.proto import provider_pb2

from tests.infra.engine.stand_in.cloud import Cloud, Resource

CONTAINER: Final = "docker:index/container:Container"
NETWORK: Final = "docker:index/network:Network"
NAMED: Final = (CONTAINER, NETWORK)
"""What the daemon has by a name from the moment on that it was asked to, whatever becomes of who asked."""
UNHEALTHY: Final = "container failed to be in healthy state"
RUN: Final = "run"
"""The action of a `Fault` that is not Pulumi's: what goes on in a container. One that fails is never healthy."""


def new_id(name: str) -> str:
    """An id that no container had before."""
    return hashlib.sha256(f"{name} {time.time_ns()}".encode()).hexdigest()


def conflict(kind: str, inputs: Mapping[str, Any], resources: Mapping[str, Resource]) -> str | None:
    """Why the daemon does not make a container or network of this name; None if it does, or for another kind."""
    name = inputs.get("name")
    found = next((one for one in resources.values() if one.type == kind and one.inputs.get("name") == name), None)
    if not found or kind not in NAMED:
        return None
    if kind == NETWORK:
        return f"Error response from daemon: network with name {name} already exists"
    return (
        "Unable to create container: Error response from daemon: Conflict. The container name "
        f'"/{name}" is already in use by container "{found.id}". You have to remove (or rename) that container to be '
        "able to reuse that name."
    )


def wait(cloud: Cloud, made: Resource, canceled: threading.Event, context: grpc.ServicerContext) -> grpc.Status | None:
    """Wait for what was made as the provider does; what it answers where it gives up, None where all is well."""
    action = cloud.fault("create", made.type, made.name)
    if action:
        cloud.note(action, made.type, made.name)
    if action == "hang":
        while not canceled.wait(timeout=1) and context.is_active():
            pass
    elif made.inputs.get("wait") and cloud.fault(RUN, made.type, made.name):
        canceled.wait(made.inputs["waitTimeout"])
    elif not action:
        return None
    return _begun(made) if made.type == CONTAINER else _answer("context canceled")


def _begun(made: Resource) -> grpc.Status:
    properties, inputs = struct_pb2.Struct(), struct_pb2.Struct()
    properties.update(made.properties)
    inputs.update(made.inputs)
    begun = provider_pb2.ErrorResourceInitFailed(id=made.id, properties=properties, inputs=inputs, reasons=[UNHEALTHY])
    details = any_pb2.Any()
    details.Pack(begun)
    return _answer(UNHEALTHY, details)


def _answer(message: str, *details: any_pb2.Any) -> grpc.Status:
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=details)
    answer: grpc.Status = rpc_status.to_status(status)
    return answer
