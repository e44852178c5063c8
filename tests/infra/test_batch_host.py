"""The batch host: hard to reach, told what to do at each start, with a disk that is kept and few roles."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.batch_host import user_data
from infra.batch_stack import FOLDERS
from tests.infra.declared import Declared, declare_stack

HOST = Path(__file__).resolve().parents[2] / "infra" / "host"
INSTANCE = "gcp:compute/instance:Instance"
ONLY_BATCH = {"shop-analytics:stream": "false"}


def declared(**batch: Any) -> Declared:
    return declare_stack("dev", ONLY_BATCH | {"shop-analytics:batch": json.dumps(batch)})


@pytest.fixture(scope="module")
def host() -> Declared:
    return declared(run="host")


def test_the_machine_is_reached_through_the_proxy_alone(host: Declared) -> None:
    machine = host.one(INSTANCE).inputs
    assert "ssh-by-iap" in machine["tags"]
    assert "accessConfigs" not in machine["networkInterfaces"][0]
    assert machine["metadata"]["enable-oslogin"] == machine["metadata"]["block-project-ssh-keys"] == "TRUE"
    assert set(machine["shieldedInstanceConfig"].values()) == {True}


def test_its_account_has_the_narrowest_roles(host: Declared) -> None:
    own = "serviceAccount:dev-batch-host@demo-project.iam.gserviceaccount.com"
    roles = {(one.type.split(":")[1], one.inputs["role"]) for one in host.resources if one.inputs.get("member") == own}
    assert roles == {
        ("projects/iAMMember", "roles/logging.logWriter"),
        ("projects/iAMMember", "roles/monitoring.metricWriter"),
        ("storage/bucketIAMMember", "roles/storage.objectViewer"),
        ("artifactregistry/repositoryIamMember", "roles/artifactregistry.reader"),
    }


def test_its_data_is_on_a_disk_of_its_own_with_daily_snapshots(host: Declared) -> None:
    disk = host.one("gcp:compute/disk:Disk").inputs
    assert disk["size"] == 200
    attached = host.one(INSTANCE).inputs["attachedDisks"][0]
    assert attached["deviceName"] == "data"
    policy = host.one("gcp:compute/resourcePolicy:ResourcePolicy").inputs["snapshotSchedulePolicy"]
    assert policy["retentionPolicy"]["maxRetentionDays"] == 7
    link = host.one("gcp:compute/diskResourcePolicyAttachment:DiskResourcePolicyAttachment").inputs
    assert link["disk"] == disk["name"]


def test_the_docker_provider_waits_for_the_machines_daemon(host: Declared) -> None:
    provider = host.one("pulumi:providers:docker")
    assert provider.inputs["host"] == "ssh://somebody@dev-batch-host"
    assert "dev-batch-host-ready" in provider.depends_on
    options = json.loads(provider.inputs["sshOpts"])
    assert options[::2] == ["-o"] * (len(options) // 2)
    assert any(option.startswith("ProxyCommand=gcloud compute start-iap-tunnel %h %p --l") for option in options)


def test_the_image_is_pulled_once_the_machine_is_ready(host: Declared) -> None:
    pulled = host.one("pulumi-python:dynamic/shop:MachineCommand", "dev-batch-host-image")
    assert "dev-batch-host-ready" in pulled.depends_on


def test_a_preview_needs_no_login(host: Declared) -> None:
    assert host.one("pulumi:providers:docker").inputs["disableDockerDaemonCheck"] in (True, "true")


def test_passwords_are_in_secret_manager_in_the_region(host: Declared) -> None:
    secrets = host.all("gcp:secretmanager/secret:Secret")
    assert "dev-grafana-admin" in {one.inputs["secretId"] for one in secrets}
    for secret in secrets:
        assert secret.inputs["replication"]["userManaged"]["replicas"][0]["location"] == "europe-west1"
    assert len(host.all("gcp:secretmanager/secretVersion:SecretVersion")) == len(secrets) == 9


def test_operators_may_log_in_and_nobody_else() -> None:
    found = declared(run="host", operators=["group:operators@example.com"])
    roles = {one.inputs["role"] for one in found.resources if one.inputs.get("member") == "group:operators@example.com"}
    assert roles == {
        "roles/iap.tunnelResourceAccessor",
        "roles/compute.osAdminLogin",
        "roles/iam.serviceAccountUser",
    }


def test_the_machine_is_told_its_scripts_and_folders() -> None:
    first, _, config = user_data("europe-west1-docker.pkg.dev", FOLDERS).partition("\n")
    assert first == "#cloud-config"
    told = yaml.safe_load(config)
    files = {file["path"]: file["content"] for file in told["write_files"]}
    assert told["runcmd"] == [["bash", "/var/lib/shop/prepare.sh"]]
    assert "mysql=999:999\n" in files["/var/lib/shop/folders"]
    assert json.loads(files["/var/lib/shop/docker/config.json"]) == {
        "credHelpers": {"europe-west1-docker.pkg.dev": "gcr"}
    }


class Machine:
    """A folder in place of a machine's root, with programs that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.called = folder / "called"
        (folder / "own").mkdir()
        (folder / "bin").mkdir()
        (folder / "sshd_config").write_text("UsePAM yes\n")
        (folder / "own" / "folders").write_text("mysql=999:999\n")
        for name in ("mkfs.ext4", "fsck.ext4", "mount", "chown", "systemctl", "docker", "sudo"):
            self.program(name)
        self.program("mountpoint", code=1)
        self.program("blkid", code=2)

    def program(self, name: str, *, code: int = 0, output: str = "") -> None:
        file = self.root / "bin" / name
        file.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.called}\n{output}\nexit {code}\n')
        file.chmod(0o755)

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        text = (HOST / script).read_text()
        text = text.replace("/mnt/disks/data", str(self.root / "data"))
        text = text.replace("/etc/ssh/sshd_config", str(self.root / "sshd_config"))
        file = self.root / "own" / script
        file.write_text(text)
        environment = {**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", **variables}
        return subprocess.run(
            ["bash", str(file), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    def calls(self) -> list[str]:
        return [line.split(" ")[0] for line in self.called.read_text().splitlines()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_new_disk_is_formatted_and_one_with_data_is_not(machine: Machine) -> None:
    assert machine.run("prepare.sh").returncode == 0
    assert "mkfs.ext4" in machine.calls()
    machine.called.unlink()
    machine.program("blkid")
    assert machine.run("prepare.sh").returncode == 0
    assert machine.calls() == ["mountpoint", "blkid", "fsck.ext4", "mount", "chown", "systemctl", "systemctl"]
    assert (machine.root / "own" / "ready").exists()


def test_a_disk_that_cannot_be_read_is_left_as_it_is(machine: Machine) -> None:
    machine.program("blkid", code=4)
    assert machine.run("prepare.sh").returncode != 0
    assert "mkfs.ext4" not in machine.calls()
    assert not (machine.root / "own" / "ready").exists()


@pytest.mark.parametrize(("code", "goes_on"), [(1, True), (4, False)])
def test_mended_faults_are_no_fault(machine: Machine, code: int, goes_on: bool) -> None:
    machine.program("fsck.ext4", code=code)
    assert (machine.run("prepare.sh").returncode == 0) == goes_on


def test_many_connections_are_taken_and_docker_is_root_s(machine: Machine) -> None:
    for _ in range(2):
        assert machine.run("prepare.sh").returncode == 0
    lines = (machine.root / "sshd_config").read_text().splitlines()
    assert lines[0] == "MaxStartups 100:30:200"
    assert lines[2] == f"ForceCommand /bin/bash {machine.root / 'own'}/session.sh"
    assert lines[3:] == ["UsePAM yes"]


def test_docker_goes_by_sudo_and_other_commands_do_not(machine: Machine) -> None:
    machine.run("session.sh", SSH_ORIGINAL_COMMAND="docker system dial-stdio", SHELL="/bin/sh")
    assert machine.called.read_text() == "sudo --non-interactive -- /bin/sh -c docker system dial-stdio\n"
    assert machine.run("session.sh", SSH_ORIGINAL_COMMAND="echo $((1 + 1))", SHELL="/bin/sh").stdout == "2\n"


def test_a_pulled_image_is_named_by_its_id(machine: Machine) -> None:
    machine.program("docker", output='case "$1 $2" in "image inspect") echo sha256:1;; esac')
    assert machine.run("pull.sh", "registry/image@sha256:2").stdout == "sha256:1\n"
    assert "docker pull --quiet registry/image@sha256:2" in machine.called.read_text()
