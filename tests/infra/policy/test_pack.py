"""The pack as Pulumi starts it: a process that answers Pulumi's own protocol."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from infra.policy.pack import RULES
from tests.infra.policy.cases import MACHINE

pytestmark = pytest.mark.integration

PACK = Path(__file__).resolve().parents[3] / "infra" / "policy"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Any]:
    # Pulumi starts the pack with its folder as working directory and reads the port from its first line.
    with subprocess.Popen([sys.executable, "-u", "."], cwd=PACK, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.terminate()


def _analyze(analyzer: Any, inputs: dict[str, Any]) -> dict[str, str]:
    properties = struct_pb2.Struct()
    properties.update(inputs)
    request = analyzer_pb2.AnalyzeRequest(
        type=MACHINE,
        name="dev-batch",
        urn=f"urn:pulumi:dev::shop-analytics::{MACHINE}::dev-batch",
        properties=properties,
        options=analyzer_pb2.AnalyzerResourceOptions(),
    )
    found = analyzer.Analyze(request, timeout=60).diagnostics
    assert all(one.enforcementLevel == analyzer_pb2.MANDATORY for one in found)
    return {one.policyName: one.message for one in found}


def test_it_tells_pulumi_all_rules(analyzer: Any) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty(), timeout=60)
    assert {policy.name for policy in info.policies} == {rule.name for rule in RULES}


def test_a_broken_rule_is_mandatory_and_says_what_to_do(analyzer: Any) -> None:
    found = _analyze(analyzer, {"networkInterfaces": [{"accessConfigs": [{"natIp": "203.0.113.1"}]}]})
    assert "vm-no-public-address" in found
    assert "dev-batch sets networkInterfaces[].accessConfigs[]" in found["vm-no-public-address"]
    assert "Leave access_configs out" in found["vm-no-public-address"]


def test_a_value_that_is_not_known_yet_does_not_hide_what_is_known(analyzer: Any) -> None:
    account = {"email": UNKNOWN_STRING_VALUE, "scopes": ["cloud-platform"]}
    found = _analyze(analyzer, {"serviceAccount": account, "canIpForward": True, "name": UNKNOWN_STRING_VALUE})
    assert {"vm-no-full-scope", "vm-no-forwarding"} <= set(found)
    assert "vm-own-service-account" not in found
