"""The containers: what each is given, that none is root or holds a password in the open, and what makes them anew."""

import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
import yaml

from app.dashboards.grafana import provisioning
from app.events.time_bounds import DEFAULT_DAYS
from infra.batch_stack import FOLDERS, ROLES, BatchStack, BatchStackArgs
from infra.containers import images
from infra.containers.spark_job import JobArgs
from infra.containers.spec import go_duration
from infra.passwords import Passwords
from infra.settings.batch import BatchSettings
from tests.infra.declared import ROOT, Declared, Resource, declare

CONTAINER = "docker:index/container:Container"
SETTINGS = BatchSettings(run="local", events="generated:1000")
JOB_IMAGE = "sha256:" + "2" * 64
DASHBOARDS = "dev-batch-dashboards"
PASSWORD = re.compile(r"password-of-[a-z-]+")


def stack(settings: BatchSettings = SETTINGS, job: JobArgs | None = None, **args: Any) -> Declared:
    def program() -> None:
        passwords = Passwords("dev-passwords", ROLES)
        found = BatchStackArgs(
            "dev", settings, passwords, {"dashboards/a.json": "{}", "provisioning/a.yaml": "{}"}, job, **args
        )
        BatchStack("dev-batch", found)

    return declare(program)


@pytest.fixture(scope="module")
def declared() -> Declared:
    return stack(job=JobArgs(JOB_IMAGE, "generated:1000", "dev", DEFAULT_DAYS))


@pytest.fixture(scope="module")
def containers(declared: Declared) -> Mapping[str, Resource]:
    return {one.name.removeprefix("dev-"): one for one in declared.all(CONTAINER)}


def files(container: Resource) -> dict[str, str]:
    return {file["file"]: file["content"] for file in container.inputs["uploads"]}


def test_there_are_three_stores_grafana_and_the_job(containers: Mapping[str, Resource]) -> None:
    assert set(containers) == {"cassandra", "redis", "mysql", "grafana", "batch-job"}


def test_no_container_is_root_or_can_become_it(containers: Mapping[str, Resource]) -> None:
    for container in containers.values():
        assert int(container.inputs["user"].split(":")[0]) > 0
        assert container.inputs["capabilities"] == {"drops": ["ALL"]}
        assert container.inputs["securityOpts"] == ["no-new-privileges:true"]
        assert container.inputs["networkMode"] == "bridge"
        assert not {"privileged", "pidMode", "devices"} & set(container.inputs)


def test_no_password_is_in_an_environment_or_on_a_command_line(containers: Mapping[str, Resource]) -> None:
    for container in containers.values():
        assert not PASSWORD.search(str(container.inputs.get("envs")) + str(container.inputs.get("command")))


def test_only_its_own_user_reads_a_file_with_a_password(containers: Mapping[str, Resource]) -> None:
    for container in containers.values():
        user = container.inputs["user"].split(":")[0]
        for file in container.inputs["uploads"]:
            assert file["owner"] == user
            if PASSWORD.search(file["content"]):
                assert file["permissions"] == "0400", file["file"]


def test_each_container_has_the_passwords_that_it_needs_and_no_others(containers: Mapping[str, Resource]) -> None:
    def known(role: str) -> set[str]:
        found = PASSWORD.findall("\n".join(files(containers[role]).values()))
        return {password.removeprefix("password-of-") for password in found}

    assert known("cassandra") == {"cassandra-admin", "cassandra-loader", "cassandra-grafana"}
    assert known("mysql") == {"mysql-admin", "mysql-loader", "mysql-grafana"}
    assert known("redis") == set(), "it has hashes"
    assert known("grafana") == {"grafana-admin", "mysql-grafana", "redis-grafana", "cassandra-grafana"}
    assert known("batch-job") == {"mysql-loader", "redis-loader", "cassandra-loader"}


def test_ports_are_open_on_the_loopback_address_alone(containers: Mapping[str, Resource]) -> None:
    ports = {role: one.inputs["ports"][0] for role, one in containers.items() if "ports" in one.inputs}
    assert {role: port["external"] for role, port in ports.items()} == {
        "cassandra": 9042,
        "redis": 6379,
        "mysql": 3306,
        "grafana": 3000,
    }
    assert {port["ip"] for port in ports.values()} == {"127.0.0.1"}


def test_ports_can_be_moved_where_they_are_taken() -> None:
    moved = stack(BatchSettings(run="local", events="generated:1000", port_offset=10_000))
    port = moved.one(CONTAINER, "dev-mysql").inputs["ports"][0]
    assert (port["internal"], port["external"]) == (3306, 13_306)


def test_what_a_refresh_reads_back_is_what_was_given(containers: Mapping[str, Resource]) -> None:
    for container in containers.values():
        assert container.inputs["memorySwap"] == container.inputs["memory"]
        health = container.inputs["healthcheck"]
        for key in ("interval", "timeout", "startPeriod"):
            assert re.fullmatch(r"(\d+h\d+m|\d+m)?\d+s", health[key])


def test_durations_are_in_gos_own_form() -> None:
    assert [go_duration(seconds) for seconds in (10, 60, 90, 3_600, 3_725)] == [
        "10s",
        "1m0s",
        "1m30s",
        "1h0m0s",
        "1h2m5s",
    ]


def test_up_waits_until_each_container_is_well(containers: Mapping[str, Resource], declared: Declared) -> None:
    for role, container in containers.items():
        assert container.inputs["wait"] == (role != "batch-job"), "Docker cannot tell that its run has failed"
        assert role == "batch-job" or container.inputs["waitTimeout"] >= 180
        assert container.inputs["healthcheck"]["tests"][0] in ("CMD", "CMD-SHELL")
        assert container.inputs["restart"] == "unless-stopped"
        assert container.inputs["logOpts"] == {"max-size": "10m", "max-file": "3"}
    first_run = declared.one("pulumi-python:dynamic/shop:FirstRun").inputs
    assert first_run["container"] == "dev-batch-job"
    assert first_run["container_id"]
    assert first_run["patience_seconds"] == 60, "its start, as the job does not run at once"


def test_images_are_pinned_by_digest(declared: Declared) -> None:
    for image in declared.all("docker:index/remoteImage:RemoteImage"):
        assert re.fullmatch(r"[a-z/]+:[0-9a-z.-]+@sha256:[0-9a-f]{64}", image.inputs["name"])
    assert len({images.CASSANDRA, images.REDIS, images.MYSQL, images.GRAFANA}) == 4


def test_containers_run_what_the_daemon_has_by_its_id(containers: Mapping[str, Resource]) -> None:
    assert {one.inputs["image"] for one in containers.values()} == {JOB_IMAGE, "sha256:" + "3" * 64}


def test_data_outlives_its_container(containers: Mapping[str, Resource], declared: Declared) -> None:
    volumes = {one.inputs["name"] for one in declared.all("docker:index/volume:Volume")} - {DASHBOARDS}
    assert {one.inputs["volumes"][0]["volumeName"] for one in containers.values()} == volumes
    assert {f"dev-{role}" for role in FOLDERS} == volumes


def test_grafana_reads_the_dashboards_where_the_job_writes_them(
    containers: Mapping[str, Resource], declared: Declared
) -> None:
    from app.batch.schedule import _parser

    def shared(role: str) -> Any:
        return [one for one in containers[role].inputs["volumes"] if one["volumeName"] == DASHBOARDS]

    assert "driverOpts" not in declared.one("docker:index/volume:Volume", DASHBOARDS).inputs
    given = _parser().parse_args(containers["batch-job"].inputs["command"][3:])
    assert shared("batch-job") == [{"volumeName": DASHBOARDS, "containerPath": f"{given.dashboards}/dashboards"}]
    assert f" {given.dashboards}/dashboards\n" in (ROOT / "app" / "batch" / "Dockerfile").read_text()
    (read,) = shared("grafana")
    assert read == {"volumeName": DASHBOARDS, "containerPath": "/etc/grafana/dashboards", "readOnly": True}
    (provider,) = yaml.safe_load(provisioning()["provisioning/dashboards/shop.yaml"])["providers"]
    assert provider["options"]["path"] == read["containerPath"]
    assert not [path for path in files(containers["grafana"]) if path.startswith(read["containerPath"])]


def test_without_a_job_beside_it_grafana_is_given_the_dashboards() -> None:
    alone = stack()
    assert alone.one(CONTAINER, "dev-grafana").inputs["uploads"][-2]["file"] == "/etc/grafana/dashboards/a.json"
    assert DASHBOARDS not in {one.name for one in alone.all("docker:index/volume:Volume")}


def test_on_a_machine_data_is_on_its_disk_and_everything_goes_and_comes_with_it() -> None:
    def program() -> None:
        machine = docker.Network("machine", name="machine")
        found = BatchStackArgs(
            "dev", SETTINGS, Passwords("p", ROLES), {}, None, data_folder="/mnt/disks/data", machine=machine
        )
        BatchStack("dev-batch", found)

    volume = declare(program).one("docker:index/volume:Volume", "dev-mysql-data")
    assert volume.inputs["driverOpts"] == {"type": "none", "o": "bind", "device": "/mnt/disks/data/mysql"}


def test_the_job_finds_its_stores_and_their_passwords(containers: Mapping[str, Resource]) -> None:
    from app.batch.stores.cassandra.settings import CassandraSettings
    from app.batch.stores.redis.settings import RedisSettings

    given = dict(line.split("=", 1) for line in containers["batch-job"].inputs["envs"])
    uploaded = files(containers["batch-job"])
    plain = {key: value for key, value in given.items() if not key.endswith("_FILE")}
    passwords = {key.removesuffix("_FILE"): uploaded[path] for key, path in given.items() if key.endswith("_FILE")}
    assert set(passwords) == {"MYSQL_PASSWORD", "REDIS_PASSWORD", "CASSANDRA_PASSWORD"}
    redis = RedisSettings.from_environment(plain | passwords)
    assert (redis.host, redis.user, redis.password) == ("redis", "loader", "password-of-redis-loader")
    cassandra = CassandraSettings.from_environment(plain | passwords)
    assert (cassandra.hosts, cassandra.user) == (("cassandra",), "loader")
    threshold = f"batch_size_warn_threshold: {2 * cassandra.batch_kib}KiB\n"
    assert threshold in files(containers["cassandra"])["/etc/shop/settings"]
    assert plain["MYSQL_HOST"] == "mysql"


def test_the_job_starts_when_its_stores_are_well(containers: Mapping[str, Resource]) -> None:
    assert {"dev-cassandra", "dev-redis", "dev-mysql"} <= containers["batch-job"].depends_on


def test_the_jobs_command_is_one_that_it_takes(containers: Mapping[str, Resource]) -> None:
    from app.batch.schedule import _parser

    command = containers["batch-job"].inputs["command"]
    assert command[:3] == ["python", "-m", "app.batch.schedule"]
    given = _parser().parse_args(command[3:])
    assert (given.events, given.at, given.now) == ("generated:1000", "03:00", False)
    assert given.memory == f"{SETTINGS.job_memory_mb // 2}m"


def test_up_waits_for_the_first_run_where_it_is_at_the_start() -> None:
    job = JobArgs(JOB_IMAGE, "", "local", DEFAULT_DAYS, folder="/home/me/events")
    settings = BatchSettings(run="local", events="/home/me/events", run_at_start=True, first_run_minutes=60)
    declared = stack(settings, job)
    container = declared.one(CONTAINER, "dev-batch-job")
    assert "--now" in container.inputs["command"]
    assert container.inputs["healthcheck"]["startPeriod"] == "1h0m0s"
    assert declared.one("pulumi-python:dynamic/shop:FirstRun").inputs["patience_seconds"] == 3_600
    assert {"hostPath": "/home/me/events", "containerPath": "/events", "readOnly": True} in container.inputs["volumes"]


def test_grafanas_files_are_read_only_and_another_content_makes_it_anew(containers: Mapping[str, Resource]) -> None:
    uploaded = {file["file"]: file for file in containers["grafana"].inputs["uploads"]}
    assert uploaded["/etc/grafana/provisioning/a.yaml"]["permissions"] == "0444"
    assert uploaded["/etc/grafana/provisioning/a.yaml"]["content"] == "{}"


def test_the_provisioned_data_sources_find_their_passwords(containers: Mapping[str, Resource]) -> None:
    wanted = set(re.findall(r"\$__file\{(.*?)\}", provisioning()["provisioning/datasources/shop.yaml"]))
    assert wanted <= set(files(containers["grafana"]))


def test_everything_is_labelled(declared: Declared) -> None:
    for one in declared.resources:
        if one.type.startswith("docker:") and "remoteImage" not in one.type:
            labels = {label["label"]: label["value"] for label in one.inputs["labels"]}
            assert labels.pop("stack", "") == ("" if "volume" in one.type else "0123456789abcdef"), one.name
            assert labels == {"environment": "dev", "component": "batch", "managed-by": "pulumi"}


def test_passwords_are_secrets() -> None:
    found: list[bool] = []

    async def look(output: pulumi.Output[str]) -> None:
        found.append(await output.is_secret())

    def program() -> None:
        password = Passwords("p", ["mysql-admin"])["mysql-admin"]
        pulumi.export("known", pulumi.Output.from_input(look(password)))

    declare(program)
    assert found == [True]
