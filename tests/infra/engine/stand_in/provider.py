# ruff: noqa: N802 - the protocol names the methods
"""A stand-in for a provider plugin: the engine's protocol over a cloud that is a file.

It keeps the real providers' promises and refusals as far as a program can tell: a preview knows only what was given;
names are taken once; protected resources stay; an API is enabled before it is used.

    STAND_IN_CLOUD=... STAND_IN_SCHEMAS=... python -m tests.infra.engine.stand_in.provider gcp
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import json_format, struct_pb2
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.infra.engine.stand_in import containers, images, rules, values
from tests.infra.engine.stand_in.check import UNKNOWN, faults_of, is_unknown
from tests.infra.engine.stand_in.cloud import Cloud, Resource
from tests.infra.engine.stand_in.functions import UnknownFunction, answer
from tests.infra.engine.stand_in.schema import Schema, UnknownType, schema_of

_MOST_BYTES: Final = 400 * 1024 * 1024
_CALLS_AT_ONCE: Final = 64
_SERVICE: Final = "gcp:projects/service:Service"


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """One provider; `cloud` holds what exists, `schemas` is the folder that keeps what the SDK says."""

    def __init__(self, cloud: Cloud, schemas: Path, sdk_version: str) -> None:
        self._cloud = cloud
        self._schemas = schemas
        self._version = sdk_version
        self._settings: dict[str, Any] = {}
        self._canceled = threading.Event()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> Any:
        changed = _plain(request.olds) != _plain(request.news)
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if changed else none)

    def Configure(self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext) -> Any:
        self._settings = {key: value for key, value in _plain(request.args).items() if key != "version"}
        # Secrets come without their marks; the engine puts these back on the properties of the same names.
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: Empty, context: grpc.ServicerContext) -> Empty:
        self._canceled.set()
        return Empty()

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> Any:
        self._require_api(rules.asked_api(request.tok), context)
        try:
            found = answer(request.tok, _plain(request.args), self._settings)
        except UnknownFunction as unknown:
            _refuse(context, str(unknown))
        return provider_pb2.InvokeResponse(**{"return": _struct(found)})

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> Any:
        kind, schema = self._type(request.urn, context)
        news, olds = _plain(request.news), _plain(request.olds)
        wrong = [provider_pb2.CheckFailure(property=path, reason=why) for path, why in faults_of(news, schema)]
        if rules.is_autonamed(kind, schema) and "name" not in news:
            suffix = values.digest_of(request.randomSeed)[:7]
            news["name"] = olds.get("name") or f"{_name(request.urn)}-{suffix}"
        return provider_pb2.CheckResponse(inputs=_struct(news), failures=wrong)

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> Any:
        kind, schema = self._type(request.urn, context)
        olds, asked, news = _plain(request.olds), _plain(request.old_inputs), _plain(request.news)
        changed = {key for key in news if not _covers(olds.get(key), news[key]) or asked.get(key) != news[key]}
        changed |= asked.keys() - news.keys()
        if kind == images.IMAGE and self._context(news, context) != olds.get("contextHash"):
            changed.add("contextHash")
        changed -= set(request.ignoreChanges)
        replaced = {key for key in changed if rules.replaces(kind, key, schema)}
        one, other = provider_pb2.PropertyDiff.UPDATE, provider_pb2.PropertyDiff.UPDATE_REPLACE
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if changed else none,
            diffs=sorted(changed),
            replaces=sorted(replaced),
            # As the real ones do where the program gave the name, since two of one name cannot be.
            deleteBeforeReplace=bool(replaced) and "name" in news and rules.is_autonamed(kind, schema),
            detailedDiff={
                key: provider_pb2.PropertyDiff(kind=other if key in replaced else one, inputDiff=key in news)
                for key in changed
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> Any:
        kind, schema = self._type(request.urn, context)
        name, inputs = _name(request.urn), _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_struct(self._expected(kind, schema, inputs, context)))
        if kind not in containers.NAMED:
            self._may_fail("create", kind, name, context)
        identity, exclusive = rules.identity(kind, {**self._place(schema), **inputs}, name)
        if kind == containers.CONTAINER:
            identity = containers.new_id(identity)
        made = Resource(kind, identity, name, inputs, self._made(kind, schema, inputs, identity, context))
        with self._cloud.changing() as resources:
            key = f"{kind} {identity}"
            why = containers.conflict(kind, inputs, resources)
            if why:
                _refuse(context, why)
            if exclusive and key in resources:
                _refuse(context, f"Error 409: {identity} already exists", grpc.StatusCode.ALREADY_EXISTS)
            self._require_api(rules.needed_api(kind), context)
            while not exclusive and not rules.is_iam(kind) and key in resources:
                made.id += "x"
                key = f"{kind} {made.id}"
            resources[key] = made
            if images.makes_builder(kind, inputs):
                resources[images.BUILDER] = Resource(images.BUILDER, "builder", "buildx_buildkit_default")
        self._cloud.note("create", kind, name)
        if kind in containers.NAMED:
            given_up = containers.wait(self._cloud, made, self._canceled, context)
            if given_up:
                context.abort_with_status(given_up)
        return provider_pb2.CreateResponse(id=made.id, properties=_struct(made.properties))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> Any:
        kind, _ = self._type(request.urn, context)
        found = self._cloud.find(kind, request.id)
        if not found:
            return provider_pb2.ReadResponse()
        asked = _plain(request.inputs) or found.inputs
        inputs = {key: value for key, value in found.properties.items() if key in asked}
        kept = {key: value for key, value in asked.items() if key not in inputs or _covers(inputs[key], value)}
        return provider_pb2.ReadResponse(
            id=request.id, properties=_struct(found.properties), inputs=_struct({**inputs, **kept})
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> Any:
        kind, schema = self._type(request.urn, context)
        name, inputs, olds = _name(request.urn), _plain(request.news), _plain(request.olds)
        volatile = values.VOLATILE.get(kind, set())
        stays = {key: olds[key] for key in schema.outputs if key in olds and key not in schema.inputs}
        steady = {key: value for key, value in stays.items() if key not in volatile}
        if request.preview:
            expected = self._expected(kind, schema, inputs, context)
            empty = images.EXPECTED if kind == images.IMAGE else {}
            return provider_pb2.UpdateResponse(
                properties=_struct({**expected, **steady, **_given(kind, expected), **empty})
            )
        self._may_fail("update", kind, name, context)
        with self._cloud.changing() as resources:
            found = resources.get(f"{kind} {request.id}")
            if not found:
                _refuse(context, f"Error 404: {request.id} was not found", grpc.StatusCode.NOT_FOUND)
            made = self._made(kind, schema, inputs, request.id, context)
            found.inputs, found.properties = inputs, {**made, **steady, **_given(kind, made)}
        self._cloud.note("update", kind, name)
        return provider_pb2.UpdateResponse(properties=_struct(found.properties))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> Empty:
        kind, name = _kind(request.urn), _name(request.urn)
        self._may_fail("delete", kind, name, context)
        why = rules.protection(kind, _plain(request.properties))
        if why:
            _refuse(context, f"cannot delete {request.id}: {why}", grpc.StatusCode.FAILED_PRECONDITION)
        with self._cloud.changing() as resources:
            resources.pop(f"{kind} {request.id}", None)
        self._cloud.note("delete", kind, name)
        return Empty()

    def _type(self, urn: str, context: grpc.ServicerContext) -> tuple[str, Schema]:
        try:
            return _kind(urn), schema_of(_kind(urn), self._schemas)
        except UnknownType as unknown:
            _refuse(context, str(unknown))

    def _place(self, schema: Schema) -> dict[str, Any]:
        """The provider's own project, region and zone, for a resource that has such a property."""
        return {key: value for key, value in self._settings.items() if key in schema.outputs and value}

    def _made(
        self, kind: str, schema: Schema, inputs: dict[str, Any], identity: str, context: grpc.ServicerContext
    ) -> dict[str, Any]:
        filled = values.filled_in(kind, schema, inputs, identity, self._settings)
        if kind == images.IMAGE:
            filled |= images.built(inputs, self._context(inputs, context))
        unread = values.UNREAD.get(kind, set())
        given = {key: value for key, value in inputs.items() if key not in filled and key not in unread}
        return {**self._place(schema), **filled, **given}

    def _expected(
        self, kind: str, schema: Schema, inputs: dict[str, Any], context: grpc.ServicerContext
    ) -> dict[str, Any]:
        """What a preview knows: what was given, and that the rest will have a value."""
        unknown = {key: UNKNOWN for key, output in schema.outputs.items() if output.always}
        hashed = {"contextHash": self._context(inputs, context)} if kind == images.IMAGE else {}
        return {**unknown, **self._place(schema), **inputs, **hashed}

    def _context(self, inputs: dict[str, Any], context: grpc.ServicerContext) -> str:
        if is_unknown(inputs.get("context")) or is_unknown(inputs.get("dockerfile")):
            return UNKNOWN
        try:
            return images.context_hash(inputs, Path.cwd())
        except images.NoContext as missing:
            _refuse(context, str(missing))

    def _may_fail(self, action: str, kind: str, name: str, context: grpc.ServicerContext) -> None:
        match self._cloud.fault(action, kind, name):
            case "fail":
                _refuse(context, f"Error 503: {action} of {name} failed, as it was told to")
            case "hang":
                self._cloud.note("hang", kind, name)
                while not self._canceled.wait(timeout=1) and context.is_active():
                    pass
                _refuse(context, f"{action} of {name} was canceled", grpc.StatusCode.CANCELLED)

    def _require_api(self, api: str | None, context: grpc.ServicerContext) -> None:
        enabled = {one.properties.get("service") for one in self._cloud.resources() if one.type == _SERVICE}
        if api and api not in enabled:
            _refuse(
                context,
                f"googleapi: Error 403: {api} has not been used in the project before or it is disabled. "
                "Reason: SERVICE_DISABLED",
            )


def _given(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"contextHash": properties["contextHash"]} if kind == images.IMAGE else {}


def _covers(actual: Any, asked: Any) -> bool:
    """Whether what exists has all that was asked for; it may have more."""
    if isinstance(actual, dict) and isinstance(asked, dict):
        return all(_covers(actual.get(key), value) for key, value in asked.items())
    if isinstance(actual, list) and isinstance(asked, list):
        return len(actual) == len(asked) and all(map(_covers, actual, asked))
    return bool(actual == asked)


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    return {key: value for key, value in json_format.MessageToDict(struct).items() if value is not None}


def _struct(plain: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(plain))
    return struct


def _kind(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _refuse(context: grpc.ServicerContext, why: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> NoReturn:
    context.abort(code, why)
    raise AssertionError("abort raises")


def _end_with_the_engine() -> None:
    engine = os.getppid()
    while os.getppid() == engine:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Serve the package that is named, until the engine ends this process or itself; first prints the port."""
    cloud = Cloud(Path(os.environ["STAND_IN_CLOUD"]), sys.argv[1])
    options = [("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.max_send_message_length", _MOST_BYTES)]
    server = grpc.server(ThreadPoolExecutor(_CALLS_AT_ONCE), options=options)
    sdk_version = version(f"pulumi-{sys.argv[1]}")
    stand_in = StandIn(cloud, Path(os.environ["STAND_IN_SCHEMAS"]), sdk_version)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_the_engine, daemon=True).start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
