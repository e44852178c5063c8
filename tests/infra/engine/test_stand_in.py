"""The stand-ins refuse what the real providers refuse, and behave as they do where a program can tell.

The calls are those of the engine, over the engine's protocol; how the engine itself takes it, the other tests show.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.infra.engine.stand_in.check import UNKNOWN
from tests.infra.engine.stand_in.cloud import Cloud, Fault
from tests.infra.engine.stand_in.containers import CONTAINER
from tests.infra.engine.stand_in.images import BUILDER
from tests.infra.engine.stand_in.provider import StandIn
from tests.infra.engine.workbench import SCHEMAS

pytestmark = pytest.mark.integration

TOPIC = "gcp:pubsub/topic:Topic"
BUCKET = "gcp:storage/bucket:Bucket"
TABLE = "gcp:bigquery/table:Table"
JOB = "gcp:dataflow/flexTemplateJob:FlexTemplateJob"
IMAGE = "docker-build:index:Image"
SERVICE = "gcp:projects/service:Service"
PROJECT = "shop-of-a-test"
PLACED = {"project": PROJECT}


def _struct(plain: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(plain))
    return struct


def _urn(kind: str) -> str:
    return f"urn:pulumi:test::shop::{kind}::one"


class _Engine:
    """Calls a stand-in as the engine does, in plain values."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = provider_pb2_grpc.ResourceProviderStub(channel)
        settings = {"project": PROJECT, "region": "europe-west1"}
        self._stub.Configure(provider_pb2.ConfigureRequest(args=_struct(settings)))

    def check(self, kind: str, **news: Any) -> dict[str, str]:
        """The properties that are refused, each with the reason."""
        answer = self._stub.Check(provider_pb2.CheckRequest(urn=_urn(kind), news=_struct(news)))
        return {failure.property: failure.reason for failure in answer.failures}

    def create(self, kind: str, *, preview: bool = False, **inputs: Any) -> tuple[str, dict[str, Any]]:
        """Make a resource; its id and properties."""
        request = provider_pb2.CreateRequest(urn=_urn(kind), properties=_struct(inputs), preview=preview)
        answer = self._stub.Create(request)
        return answer.id, json_format.MessageToDict(answer.properties)

    def diff(self, kind: str, olds: dict[str, Any], asked: dict[str, Any], **news: Any) -> Any:
        """What the change of a resource would be."""
        return self._stub.Diff(
            provider_pb2.DiffRequest(
                urn=_urn(kind), olds=_struct(olds), old_inputs=_struct(asked), news=_struct({**asked, **news})
            )
        )

    def read(self, kind: str, identity: str) -> dict[str, Any]:
        """The properties that a resource has; none if it does not exist."""
        answer = self._stub.Read(provider_pb2.ReadRequest(urn=_urn(kind), id=identity))
        properties: dict[str, Any] = json_format.MessageToDict(answer.properties)
        return properties

    def delete(self, kind: str, identity: str, properties: dict[str, Any]) -> None:
        """Remove a resource."""
        self._stub.Delete(provider_pb2.DeleteRequest(urn=_urn(kind), id=identity, properties=_struct(properties)))


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path / "cloud", "gcp")


@pytest.fixture
def engine(cloud: Cloud) -> Iterator[_Engine]:
    server = grpc.server(ThreadPoolExecutor(4))
    stand_in = StandIn(cloud, SCHEMAS, "1.0.0")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(stand_in, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield _Engine(channel)
    server.stop(None)


def test_unknown_types_are_refused(engine: _Engine) -> None:
    with pytest.raises(grpc.RpcError, match="no resource of pulumi_gcp"):
        engine.check("gcp:pubsub/topick:Topick")
    with pytest.raises(grpc.RpcError, match="no SDK for nothing"):
        engine.check("nothing:index:Nothing")


def test_arguments_that_do_not_fit_are_refused_each_by_its_path(engine: _Engine) -> None:
    wrong = {"nmae": "orders", "labels": ["a"], "messageStoragePolicy": {"enforceInTransit": "yes"}, "project": 3}
    assert engine.check(TOPIC, **wrong) == {
        "nmae": "is no argument of this resource",
        "labels": "must be a map, not list",
        "messageStoragePolicy.allowedPersistenceRegions": "is required and missing",
        "messageStoragePolicy.enforceInTransit": "must be a boolean, not str",
        "project": "must be a string, not float",
    }
    assert engine.check(BUCKET, name="orders") == {"location": "is required and missing"}
    assert engine.check(BUCKET, name="orders", location=UNKNOWN) == {}


def test_two_of_one_name_cannot_be(engine: _Engine) -> None:
    engine.create(BUCKET, name="orders", location="EU")
    with pytest.raises(grpc.RpcError, match="Error 409: orders already exists"):
        engine.create(BUCKET, name="orders", location="US")


def test_a_role_can_be_granted_twice(engine: _Engine, cloud: Cloud) -> None:
    role: dict[str, Any] = {"bucket": "orders", "role": "roles/storage.objectViewer", "member": "user:a@example.com"}
    kind = "gcp:storage/bucketIAMMember:BucketIAMMember"
    assert engine.create(kind, **role)[0] == engine.create(kind, **role)[0]
    assert len(cloud.resources()) == 1


def test_a_service_must_be_enabled_before_it_is_used(engine: _Engine) -> None:
    with pytest.raises(grpc.RpcError, match=r"Error 403: pubsub\.googleapis\.com"):
        engine.create(TOPIC, name="orders")
    engine.create(SERVICE, service="pubsub.googleapis.com")
    identity, _ = engine.create(TOPIC, name="orders")
    assert identity == f"projects/{PROJECT}/topics/orders"


@pytest.mark.parametrize(
    ("given", "reason"),
    [({}, "deletionProtection is on"), ({"deletionPolicy": "PREVENT"}, "deletionPolicy is PREVENT")],
)
def test_what_is_protected_stays(engine: _Engine, cloud: Cloud, given: dict[str, Any], reason: str) -> None:
    engine.create(SERVICE, service="bigquery.googleapis.com")
    table: dict[str, Any] = {"datasetId": "shop", "tableId": "events"}
    identity, properties = engine.create(TABLE, **table, **given)
    with pytest.raises(grpc.RpcError, match=reason):
        engine.delete(TABLE, identity, properties)
    assert engine.read(TABLE, identity) == properties
    engine.delete(TABLE, identity, {**properties, "deletionProtection": False, "deletionPolicy": "DELETE"})
    assert engine.read(TABLE, identity) == {}


def test_outputs_are_as_the_services_write_them_and_unknown_in_a_preview(engine: _Engine) -> None:
    engine.create(SERVICE, service="iam.googleapis.com")
    account = "gcp:serviceaccount/account:Account"
    identity, properties = engine.create(account, accountId="worker")
    email = f"worker@{PROJECT}.iam.gserviceaccount.com"
    assert identity == f"projects/{PROJECT}/serviceAccounts/{email}"
    assert (properties["email"], properties["member"]) == (email, f"serviceAccount:{email}")
    _, expected = engine.create(account, preview=True, accountId="another")
    assert expected["email"] == UNKNOWN
    assert (expected["accountId"], expected["project"]) == ("another", PROJECT)


@pytest.mark.parametrize(
    ("changed", "replaced"),
    [("containerSpecGcsPath", False), ("parameters", False), ("maxWorkers", True), ("numWorkers", True),
     ("region", True), ("name", True), ("enableStreamingEngine", True)],
)  # fmt: skip
def test_a_streaming_job_is_updated_in_place_but_for_what_the_sdk_calls_immutable(
    engine: _Engine, changed: str, replaced: bool
) -> None:
    asked = {"containerSpecGcsPath": "gs://one", "name": "job"}
    new = {"parameters": {"a": "b"}, "maxWorkers": 3, "numWorkers": 2, "enableStreamingEngine": True}
    change = engine.diff(JOB, asked, asked, **{changed: new.get(changed, "another")})
    assert list(change.diffs) == [changed]
    assert list(change.replaces) == ([changed] if replaced else [])


def test_a_name_that_was_given_makes_the_old_one_go_first(engine: _Engine) -> None:
    asked = {"name": "orders", "location": "EU"}
    assert engine.diff(BUCKET, asked, asked, location="US").deleteBeforeReplace
    assert not engine.diff(BUCKET, asked, asked, labels={"a": "b"}).deleteBeforeReplace


def test_more_than_was_asked_for_is_no_change(engine: _Engine) -> None:
    asked = {"name": "orders", "location": "EU", "versioning": {"enabled": True}}
    exists = {**asked, "url": "gs://orders", "versioning": {"enabled": True, "since": "today"}}
    assert not engine.diff(BUCKET, exists, asked).diffs
    assert list(engine.diff(BUCKET, {**exists, "location": "US"}, asked).diffs) == ["location"]


def test_a_change_from_outside_is_read(engine: _Engine, cloud: Cloud) -> None:
    identity, _ = engine.create(BUCKET, name="orders", location="EU", labels={"team": "one"})
    with cloud.changing() as resources:
        resources[f"{BUCKET} {identity}"].properties["labels"] = {"team": "another"}
    assert engine.read(BUCKET, identity)["labels"] == {"team": "another"}


def test_it_fails_where_it_is_told_to(engine: _Engine, cloud: Cloud) -> None:
    cloud.break_on(Fault("create", type="*Bucket", name="o*"))
    with pytest.raises(grpc.RpcError, match="create of one failed, as it was told to"):
        engine.create(BUCKET, name="orders", location="EU")
    cloud.break_on()
    engine.create(BUCKET, name="orders", location="EU")
    assert cloud.calls() == [("create", BUCKET, "one")]


def _context(folder: Path) -> dict[str, Any]:
    (folder / "app").mkdir()
    (folder / "app" / "main.py").write_text("print()")
    (folder / "Dockerfile").write_text("FROM scratch")
    (folder / ".dockerignore").write_text("# all but the code\n*\n!app\n**/*.log\n")
    return {"context": {"location": str(folder)}, "push": True, "tags": ["registry/image:1"]}


def test_an_image_follows_the_files_of_its_context_that_are_not_ignored(engine: _Engine, tmp_path: Path) -> None:
    asked = _context(tmp_path)
    _, first = engine.create(IMAGE, **asked)
    assert first["ref"] == f"registry/image:1@{first['digest']}"
    (tmp_path / "notes.txt").write_text("not sent")
    (tmp_path / "app" / "run.log").write_text("not sent")
    assert not engine.diff(IMAGE, first, asked).diffs
    (tmp_path / "app" / "main.py").write_text("print(1)")
    assert list(engine.diff(IMAGE, first, asked).diffs) == ["contextHash"]
    assert not engine.diff(IMAGE, first, asked).replaces
    _, expected = engine.create(IMAGE, preview=True, **asked)
    assert expected["digest"] == UNKNOWN
    assert expected["contextHash"] not in (UNKNOWN, first["contextHash"])


def test_an_image_without_its_files_is_refused_in_a_preview(engine: _Engine, tmp_path: Path) -> None:
    asked = _context(tmp_path)
    (tmp_path / "Dockerfile").unlink()
    with pytest.raises(grpc.RpcError, match="Dockerfile does not exist"):
        engine.create(IMAGE, preview=True, **asked)


def test_an_image_leaves_a_builder_unless_docker_itself_builds_it(
    engine: _Engine, cloud: Cloud, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    given: dict[str, Any] = {"push": True, "context": {"location": str(tmp_path)}}
    engine.create(IMAGE, **given, exec=True, builder={"name": "default"})
    assert [one.type for one in cloud.resources()] == [IMAGE]
    engine.create(IMAGE, **given, builder={"name": "default"})
    assert BUILDER in [one.type for one in cloud.resources()]


def test_a_container_whose_making_was_interrupted_has_its_name(engine: _Engine, cloud: Cloud) -> None:
    cloud.break_on(Fault("create", CONTAINER))
    with pytest.raises(grpc.RpcError, match="failed to be in healthy state"):
        engine.create(CONTAINER, name="mysql", image="mysql")
    cloud.break_on()
    with pytest.raises(grpc.RpcError, match=r'Conflict\. The container name "/mysql" is already in use'):
        engine.create(CONTAINER, name="mysql", image="mysql")
    assert len({engine.create(CONTAINER, name=name, image="mysql")[0] for name in ("a", "b")}) == 2


def test_who_waits_for_a_container_whose_process_has_failed_waits_on(engine: _Engine, cloud: Cloud) -> None:
    cloud.break_on(Fault("run", CONTAINER))
    started = time.monotonic()
    with pytest.raises(grpc.RpcError, match="failed to be in healthy state"):
        engine.create(CONTAINER, name="job", image="job", wait=True, waitTimeout=2)
    assert time.monotonic() - started >= 2
    engine.create(CONTAINER, name="another", image="job", wait=False)
