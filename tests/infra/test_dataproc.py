"""The same job on Dataproc Serverless: daily, on the private subnet, and alone allowed to reach the stores."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.batch.dataproc_job import _parser
from app.dashboards.grafana.__main__ import main as write_dashboards
from tests.infra.declared import Declared, declare_stack


@pytest.fixture(scope="module")
def dataproc() -> Declared:
    batch = json.dumps({"run": "dataproc", "runAt": "04:05"})
    return declare_stack("dev", {"shop-analytics:stream": "false", "shop-analytics:batch": batch})


@pytest.fixture(scope="module")
def job(dataproc: Declared) -> Any:
    return dataproc.one("gcp:cloudscheduler/job:Job").inputs


@pytest.fixture(scope="module")
def batch(job: Any) -> Any:
    return json.loads(base64.b64decode(job["httpTarget"]["body"]))


def test_it_is_started_each_day(job: Any) -> None:
    assert (job["schedule"], job["timeZone"]) == ("5 4 * * *", "Etc/UTC")
    assert job["httpTarget"]["uri"].endswith("/v1/projects/demo-project/locations/europe-west1/batches")


def test_it_runs_the_image_of_the_host_by_its_digest(batch: Any) -> None:
    assert "/dev-batch-job@sha256:" in batch["runtimeConfig"]["containerImage"]
    assert batch["pysparkBatch"]["mainPythonFileUri"] == "file:///opt/shop/app/batch/dataproc_job.py"


def test_its_arguments_are_those_that_the_program_takes(batch: Any) -> None:
    given = _parser().parse_args(batch["pysparkBatch"]["args"])
    assert given.events.startswith("gs://")
    assert given.staging.startswith("gs://")
    assert [pair.partition("=")[0] for pair in given.secret] == [
        "MYSQL_PASSWORD",
        "REDIS_PASSWORD",
        "CASSANDRA_PASSWORD",
    ]


def test_it_holds_no_password(batch: Any) -> None:
    assert "password-of" not in json.dumps(batch)


def test_it_finds_the_stores_at_the_machines_private_address(batch: Any, dataproc: Declared) -> None:
    properties = batch["runtimeConfig"]["properties"]
    assert properties["spark.dataproc.driverEnv.MYSQL_HOST"] == "10.20.0.9"
    assert properties["spark.dataproc.driverEnv.REDIS_URL"] == "redis://loader@10.20.0.9:6379/0"
    machine = dataproc.one("gcp:compute/instance:Instance").inputs
    assert machine["networkInterfaces"][0]["networkIp"] == "10.20.0.9"
    ports = {
        one.name: one.inputs["ports"][0]["ip"]
        for one in dataproc.all("docker:index/container:Container")
        if "ports" in one.inputs
    }
    assert ports == {
        "dev-cassandra": "10.20.0.9",
        "dev-redis": "10.20.0.9",
        "dev-mysql": "10.20.0.9",
        "dev-grafana": "127.0.0.1",
    }


def test_only_its_workers_reach_the_stores(dataproc: Declared) -> None:
    rule = dataproc.one("gcp:compute/firewall:Firewall", "dev-batch-job-to-stores").inputs
    assert rule["sourceTags"] == ["batch-job"]
    assert rule["targetTags"] == ["batch-stores"]
    assert rule["allows"] == [{"protocol": "tcp", "ports": ["9042", "6379", "3306"]}]


def test_it_runs_on_the_private_subnet_as_its_own_account(batch: Any) -> None:
    execution = batch["environmentConfig"]["executionConfig"]
    assert execution["serviceAccount"] == "dev-batch-job@demo-project.iam.gserviceaccount.com"
    assert execution["subnetworkUri"].endswith("/subnetworks/dev-network-europe-west1")
    assert execution["networkTags"] == ["batch-job"]


def test_it_reads_the_loaders_passwords_and_no_others(dataproc: Declared) -> None:
    read = {one.inputs["secretId"] for one in dataproc.all("gcp:secretmanager/secretIamMember:SecretIamMember")}
    assert read == {"dev-mysql-loader", "dev-redis-loader", "dev-cassandra-loader"}


def test_who_starts_it_may_do_nothing_else(dataproc: Declared) -> None:
    role = dataproc.one("gcp:projects/iAMCustomRole:IAMCustomRole", "dev-batch-job-start")
    assert role.inputs["permissions"] == ["dataproc.batches.create"]


def test_no_job_runs_on_the_machine_but_what_keeps_the_dashboards_up_to_date(dataproc: Declared) -> None:
    containers = {one.name: one.inputs for one in dataproc.all("docker:index/container:Container")}
    assert set(containers) == {"dev-cassandra", "dev-redis", "dev-mysql", "dev-grafana", "dev-dashboards"}
    writes, reads = containers["dev-dashboards"], containers["dev-grafana"]
    (written,), (read,) = (
        [volume for volume in one["volumes"] if volume.get("volumeName") == "dev-batch-dashboards"]
        for one in (writes, reads)
    )
    assert (written.get("readOnly", False), read["readOnly"]) == (False, True)
    assert "MYSQL_USER=grafana" in writes["envs"]
    _is_taken(writes["command"][3:])


def _is_taken(arguments: list[str]) -> None:
    """The program takes the command line: it asks for MySQL's address, and waits for its next turn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MYSQL_HOST", raising=False)
        patch.setattr("app.dashboards.grafana.__main__.time", SimpleNamespace(sleep=_ended))
        with pytest.raises(StopIteration):
            write_dashboards(arguments)


def _ended(_: float) -> None:
    raise StopIteration
