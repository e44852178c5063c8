"""The language host, called as the engine calls it; the engine itself uses it in the tests of the infrastructure."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from app.local import pulumi_language

pytestmark = pytest.mark.integration

# Stands for Pulumi's own script: it writes down how it was called, and ends as the program's name says.
EXECUTOR = """
import json, os, sys
with open("call.json", "w") as file:
    json.dump([sys.argv[1:], os.environ["PULUMI_CONFIG"], os.environ["PULUMI_CONFIG_SECRET_KEYS"]], file)
sys.exit(int(sys.argv[-1].rsplit("-", 1)[-1]))
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    executor = tmp_path / "executor.py"
    executor.write_text(EXECUTOR)
    command = [sys.executable, "-P", pulumi_language.__file__, "--executor", str(executor), "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel)
        process.terminate()


def _run(host: Any, program: str) -> language_pb2.RunResponse:
    info = language_pb2.ProgramInfo(root_directory="/shop", program_directory="/shop/infra", entry_point=program)
    request = language_pb2.RunRequest(
        info=info, project="shop", stack="dev", monitor_address="127.0.0.1:2", dryRun=True, parallel=4,
        organization="me", config={"gcp:project": "p"}, configSecretKeys=["shop:key"],
    )  # fmt: skip
    answer: language_pb2.RunResponse = host.Run(request)
    return answer


def test_a_program_is_given_what_the_engine_said(host: Any, tmp_path: Path) -> None:
    assert _run(host, "ends-with-0") == language_pb2.RunResponse()
    arguments, config, secret_keys = json.loads((tmp_path / "call.json").read_text())
    assert arguments[-1] == "/shop/infra/ends-with-0"
    given = dict(zip(arguments[:-1:2], arguments[1::2], strict=True))
    assert given == {
        "--monitor": "127.0.0.1:2",
        "--engine": "127.0.0.1:1",
        "--project": "shop",
        "--root_directory": "/shop",
        "--stack": "dev",
        "--parallel": "4",
        "--dry_run": "true",
        "--organization": "me",
    }
    assert json.loads(config) == {"gcp:project": "p"}
    assert json.loads(secret_keys) == ["shop:key"]


def test_a_program_that_fails_is_an_error_unless_it_told_the_user(host: Any) -> None:
    assert "code: 3" in _run(host, "ends-with-3").error
    assert _run(host, "ends-with-32").bail


def test_the_providers_of_all_sdks_are_required_in_their_versions(host: Any) -> None:
    packages = host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
    found = {package.name: package.version for package in packages}
    assert found.keys() >= {"gcp", "docker", "docker-build"}
    assert found["gcp"] == f"v{version('pulumi-gcp')}"
    assert "policy" not in found


def test_a_plugin_is_run_with_its_streams_and_its_exit_code(host: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint(os.environ['GIVEN'], sys.argv[1:])\nprint('wrong', file=sys.stderr)\nsys.exit(7)\n"
    )
    request = language_pb2.RunPluginRequest(
        info=language_pb2.ProgramInfo(program_directory=str(tmp_path), entry_point="."),
        pwd=str(tmp_path), args=["127.0.0.1:3"], env=["GIVEN=as=it is"], kind="resource",
    )  # fmt: skip
    answers = list(host.RunPlugin(request))
    assert b"".join(answer.stdout for answer in answers) == b"as=it is ['127.0.0.1:3']\n"
    assert b"".join(answer.stderr for answer in answers) == b"wrong\n"
    assert answers[-1].exitcode == 7
