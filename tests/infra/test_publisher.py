"""The publisher's machine runs the real command, is closed to the world, and goes on by itself."""

import re
import shlex
from typing import Any

import pytest
import yaml

from app.stream.replayer_command import _parser
from infra.cloud_init import Service, cloud_config
from tests.infra.environments import environment
from tests.infra.test_stream_job import rights

MACHINE = "gcp:compute/instance:Instance"


def machine(stack: str = "prod", **sections: Any) -> dict[str, Any]:
    return dict(environment(stack, **sections).one(MACHINE, f"{stack}-publisher").inputs)


def unit(inputs: dict[str, Any]) -> str:
    """The service that the machine is told to run."""
    told = yaml.safe_load(inputs["metadata"]["user-data"])
    (file,) = told["write_files"]
    assert file["path"] == "/etc/systemd/system/publisher.service"
    assert told["runcmd"] == ["systemctl daemon-reload", "systemctl start --no-block publisher.service"]
    return str(file["content"])


def command(inputs: dict[str, Any]) -> list[str]:
    """What the container is started with."""
    line = re.search(r"^ExecStart=((?:.*\\\n)*.*)", unit(inputs), re.MULTILINE)
    assert line
    return shlex.split(line[1].replace("\\\n", " "))


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_machine_is_closed(stack: str) -> None:
    inputs = machine(stack)
    assert inputs["shieldedInstanceConfig"] == {
        "enableSecureBoot": True,
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    }
    assert inputs["metadata"]["enable-oslogin"] == "TRUE"
    assert inputs["metadata"]["block-project-ssh-keys"] == "TRUE"
    assert inputs["metadata"]["serial-port-enable"] == "FALSE"
    assert inputs["canIpForward"] is False
    assert inputs["serviceAccount"]["email"] == f"{stack}-publisher@demo-project.iam.gserviceaccount.com"
    assert not any(scope.endswith("cloud-platform") for scope in inputs["serviceAccount"]["scopes"])
    assert "cos-cloud" in inputs["bootDisk"]["initializeParams"]["image"]


def test_the_container_is_that_of_the_digest_and_has_no_rights() -> None:
    started = command(machine())
    assert started[:2] == ["/usr/bin/docker", "run"]
    assert any(re.fullmatch(r"\S+/prod-stream@sha256:1{64}", word) for word in started)
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--entrypoint=python"} <= set(started)


def test_the_command_is_the_replayers_own() -> None:
    given: dict[str, Any] = {
        "files": ["events/2019-Oct.csv.gz", "events/2019-Nov.csv.gz"],
        "speed": 60,
        "replay": "second",
    }
    started = command(machine("dev", publisher=given | {"start": "2019-10-01T08:00Z"}))
    module = started.index("app.stream.replayer_command")
    options = _parser().parse_args(started[module + 1 :])
    assert options.topic == "projects/demo-project/topics/dev-events"
    assert options.checkpoint == "gs://demo-project-dev-checkpoints/replays/second.json"
    assert options.files == [f"gs://demo-project-dev-events/{file}" for file in given["files"]]
    assert (options.speed, options.block_rows) == (60, 500)
    assert options.start.isoformat() == "2019-10-01T08:00:00+00:00"


def test_the_service_goes_on_after_a_failure_and_stops_at_a_wrong_setting() -> None:
    text = unit(machine())
    for line in (
        "Restart=on-failure",
        "SuccessExitStatus=143",
        "RestartPreventExitStatus=2",
        "ExecStop=/usr/bin/docker stop --time=60 publisher",
        "ExecStartPre=/usr/bin/docker-credential-gcr configure-docker --registries=europe-west1-docker.pkg.dev",
    ):
        assert line in text.splitlines()


def test_the_account_reads_events_publishes_them_and_keeps_its_checkpoint() -> None:
    member = "serviceAccount:prod-publisher@demo-project.iam.gserviceaccount.com"
    assert rights(environment("prod"), member) == {
        ("project", "roles/logging.logWriter"),
        ("project", "roles/monitoring.metricWriter"),
        ("demo-project-prod-events", "roles/storage.objectViewer"),
        ("demo-project-prod-checkpoints", "roles/storage.objectUser"),
        ("prod-events", "roles/pubsub.publisher"),
        ("prod-images", "roles/artifactregistry.reader"),
    }


def test_percent_signs_are_not_specifiers_of_systemd() -> None:
    text = cloud_config(Service("replay", "Replays", "image", "host", "python", ("gs://bucket/a%20b",)))
    assert "gs://bucket/a%%20b" in text
