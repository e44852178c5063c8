"""The batch host: a machine with Docker and a disk of data, reached by SSH through Identity-Aware Proxy alone."""

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_docker as docker
from pulumi_gcp import compute, iap, projects, serviceaccount, storage

from infra.accounts import account
from infra.foundation import Foundation
from infra.image import Image
from infra.machine_command import MachineCommand, MachineCommandArgs
from infra.machine_login import log_in
from infra.network import IAP_TAG
from infra.settings.batch import BatchSettings
from infra.shell import Shell

STORES_TAG: Final = "batch-stores"
"""Of the machine that has the stores."""
DATA_FOLDER: Final = "/mnt/disks/data"
_OWN_FOLDER: Final = "/var/lib/shop"
_FILES: Final = Path(__file__).parent / "host"
_IMAGE: Final = "projects/cos-cloud/global/images/family/cos-stable"
_BOOT_DISK_GB: Final = 50
_SCOPES: Final = ("devstorage.read_only", "logging.write", "monitoring.write")
_READY: Final = f"test -e {_OWN_FOLDER}/ready && sudo --non-interactive docker version > /dev/null && id --user --name"


@dataclass(frozen=True)
class BatchHostArgs:
    """What the machine stands on, and the folders of its disk with the user and group that each belongs to."""

    settings: BatchSettings
    ground: Foundation
    folders: Mapping[str, str]
    deletion_protection: bool
    address: pulumi.Input[str] | None = None
    """The machine's private address, where it has to be known."""


class BatchHost(pulumi.ComponentResource):
    """A machine with Container-Optimized OS that waits for containers."""

    instance: compute.Instance
    account: pulumi.Output[str]
    """E-mail address of the machine's account."""
    daemon: docker.Provider
    """For what runs on the machine; it is known once Docker answers there."""
    shell: Shell
    """For Docker's CLI there."""

    def __init__(self, name: str, args: BatchHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:BatchHost", name, None, opts)
        self._name, self._args, self._place = name, args, args.ground.place
        own = account(name, self._place, "Batch host", pulumi.ResourceOptions(parent=self))
        granted = self._grants(own)
        self.instance = self._instance(own, self._disk(), granted)
        self.account = own.email
        # Docker is asked for only when someone may log in, and the machine may go only when nobody is logged in.
        self._admitted = self._admit_operators(own)
        self._ready = self._command("ready", _READY)
        self.daemon = self._daemon()
        self.shell = self._shell()
        self.register_outputs({"instance": self.instance.name, "account": self.account})

    def pull(self, image: Image) -> pulumi.Output[str]:
        """Have the machine pull an image, as its own account; the image's id."""
        command = pulumi.Output.concat(f"sudo --non-interactive bash {_OWN_FOLDER}/pull.sh ", image.ref)
        return self._command("image", command, self._ready).stdout

    def _command(self, role: str, command: pulumi.Input[str], *first: pulumi.Resource) -> MachineCommand:
        return MachineCommand(
            f"{self._name}-{role}",
            MachineCommandArgs(self._place, self.instance.name, self.instance.instance_id, command),
            pulumi.ResourceOptions(parent=self, depends_on=[*self._admitted, *first], deleted_with=self.instance),
        )

    def _daemon(self) -> docker.Provider:
        place = self._place
        user: pulumi.Output[str] = pulumi.Output.all(self.instance.name, self._ready.stdout).apply(self._log_in)
        tunnel = (
            f"gcloud compute start-iap-tunnel %h %p --listen-on-stdin --project={place.project} --zone={place.zone}"
        )
        ssh = {
            "ProxyCommand": tunnel,
            # Of gcloud, which has made them at the login.
            "IdentityFile": "~/.ssh/google_compute_engine",
            "UserKnownHostsFile": "~/.ssh/google_compute_known_hosts",
            "StrictHostKeyChecking": "accept-new",
            "ConnectTimeout": "60",
            "ServerAliveInterval": "30",
        }
        alias = pulumi.Output.concat("HostKeyAlias=compute.", self.instance.instance_id)
        options = [word for key, value in ssh.items() for word in ("-o", f"{key}={value}")]
        return docker.Provider(
            f"{self._name}-docker",
            host=pulumi.Output.concat("ssh://", user, "@", self.instance.name),
            ssh_opts=[*options, "-o", alias],
            # A preview compares with the state alone, so that who may only look needs no login, and no name there.
            disable_docker_daemon_check=True,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["host"] if pulumi.runtime.is_dry_run() else None),
        )

    def _shell(self) -> Shell:
        options = (f"--project={self._place.project}", f"--zone={self._place.zone}", "--tunnel-through-iap", "--quiet")
        # The name is known once Docker answers there.
        instance = pulumi.Output.all(self.instance.name, self._ready.stdout).apply(lambda known: str(known[0]))
        words = ("gcloud", "compute", "ssh", "--ssh-key-expire-after=1d", instance, *options, "--command")
        return Shell(words, "sudo --non-interactive docker")

    def _log_in(self, known: Sequence[str]) -> Awaitable[str]:
        instance, user = known
        return log_in(self._place, instance, user)

    def _disk(self) -> compute.Disk:
        name, place, settings = f"{self._name}-data", self._place, self._args.settings
        kept = pulumi.ResourceOptions(parent=self, protect=self._args.deletion_protection)
        disk = compute.Disk(
            name,
            name=name,
            project=place.project,
            zone=place.zone,
            description="Data of Cassandra, Redis, MySQL, Grafana and the batch job",
            type="pd-balanced",
            size=settings.data_disk_gb,
            disk_encryption_key=compute.DiskDiskEncryptionKeyArgs(kms_key_self_link=self._args.ground.key)
            if self._args.ground.key
            else None,
            labels=place.labels("batch"),
            opts=kept,
        )
        child = pulumi.ResourceOptions(parent=self)
        policy = compute.ResourcePolicy(
            f"{name}-snapshots",
            name=f"{name}-snapshots",
            project=place.project,
            region=place.region,
            description="A snapshot each day",
            snapshot_schedule_policy=compute.ResourcePolicySnapshotSchedulePolicyArgs(
                schedule=compute.ResourcePolicySnapshotSchedulePolicyScheduleArgs(
                    daily_schedule=compute.ResourcePolicySnapshotSchedulePolicyScheduleDailyScheduleArgs(
                        days_in_cycle=1, start_time="01:00"
                    )
                ),
                retention_policy=compute.ResourcePolicySnapshotSchedulePolicyRetentionPolicyArgs(
                    max_retention_days=settings.snapshot_days, on_source_disk_delete="APPLY_RETENTION_POLICY"
                ),
                snapshot_properties=compute.ResourcePolicySnapshotSchedulePolicySnapshotPropertiesArgs(
                    labels=place.labels("batch"), storage_locations=place.region
                ),
            ),
            opts=child,
        )
        compute.DiskResourcePolicyAttachment(
            f"{name}-snapshots", name=policy.name, project=place.project, zone=place.zone, disk=disk.name, opts=child
        )
        return disk

    def _instance(
        self, own: serviceaccount.Account, disk: compute.Disk, granted: list[pulumi.Resource]
    ) -> compute.Instance:
        name, place, args = self._name, self._place, self._args
        return compute.Instance(
            name,
            name=name,
            project=place.project,
            zone=place.zone,
            description="Runs the batch job and its stores in containers",
            machine_type=args.settings.machine_type,
            boot_disk=compute.InstanceBootDiskArgs(
                auto_delete=True,
                initialize_params=compute.InstanceBootDiskInitializeParamsArgs(
                    image=_IMAGE, size=_BOOT_DISK_GB, type="pd-balanced"
                ),
                kms_key_self_link=args.ground.key,
            ),
            attached_disks=[
                compute.InstanceAttachedDiskArgs(
                    source=disk.self_link,
                    device_name="data",
                    mode="READ_WRITE",
                    kms_key_self_link=args.ground.key,
                )
            ],
            network_interfaces=[
                compute.InstanceNetworkInterfaceArgs(subnetwork=args.ground.network.subnetwork, network_ip=args.address)
            ],
            service_account=compute.InstanceServiceAccountArgs(
                email=own.email, scopes=[f"https://www.googleapis.com/auth/{scope}" for scope in _SCOPES]
            ),
            shielded_instance_config=compute.InstanceShieldedInstanceConfigArgs(
                enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
            ),
            scheduling=compute.InstanceSchedulingArgs(automatic_restart=True, on_host_maintenance="MIGRATE"),
            metadata={
                "user-data": user_data(args.ground.registry.host, args.folders),
                "enable-oslogin": "TRUE",
                "block-project-ssh-keys": "TRUE",
                "serial-port-enable": "FALSE",
                "google-logging-enabled": "true",
                "google-monitoring-enabled": "true",
            },
            tags=[IAP_TAG, STORES_TAG],
            labels=place.labels("batch"),
            allow_stopping_for_update=True,
            can_ip_forward=False,
            # What is to be kept is on the disk of data. The machine reads its user data when it starts.
            deletion_protection=False,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=granted, replace_on_changes=["metadata"], delete_before_replace=True
            ),
        )

    def _grants(self, own: serviceaccount.Account) -> list[pulumi.Resource]:
        ground, child = self._args.ground, pulumi.ResourceOptions(parent=self)
        of_project = [
            projects.IAMMember(
                f"{self._name}-{role}",
                project=self._place.project,
                role=f"roles/{role}",
                member=own.member,
                opts=child,
            )
            for role in ("logging.logWriter", "monitoring.metricWriter")
        ]
        of_events = storage.BucketIAMMember(
            f"{self._name}-reads-events",
            bucket=ground.storage.events,
            role="roles/storage.objectViewer",
            member=own.member,
            opts=child,
        )
        return [*of_project, of_events, ground.registry.let_read(f"{self._name}-pulls-images", own.member, self)]

    def _admit_operators(self, own: serviceaccount.Account) -> list[pulumi.Resource]:
        """Let the operators log in: through the proxy, with `sudo`, to a machine that runs as its account."""
        place, child = self._place, pulumi.ResourceOptions(parent=self)
        granted: list[pulumi.Resource] = []
        for member in self._args.settings.operators:
            role_name = f"{self._name}-{member.replace(':', '-').replace('@', '-')}"
            granted += [
                iap.TunnelInstanceIAMMember(
                    f"{role_name}-tunnel",
                    project=place.project,
                    zone=place.zone,
                    instance=self.instance.name,
                    role="roles/iap.tunnelResourceAccessor",
                    member=member,
                    opts=child,
                ),
                compute.InstanceIAMMember(
                    f"{role_name}-login",
                    project=place.project,
                    zone=place.zone,
                    instance_name=self.instance.name,
                    role="roles/compute.osAdminLogin",
                    member=member,
                    opts=child,
                ),
                serviceaccount.IAMMember(
                    f"{role_name}-account",
                    service_account_id=own.name,
                    role="roles/iam.serviceAccountUser",
                    member=member,
                    opts=child,
                ),
            ]
        return granted


def user_data(registry: str, folders: Mapping[str, str]) -> str:
    """What the machine is told, each time that it starts: its scripts, and to run the one that prepares it."""
    files = {name: (_FILES / name).read_text() for name in ("prepare.sh", "session.sh", "pull.sh")}
    files["folders"] = "".join(f"{folder}={owner}\n" for folder, owner in sorted(folders.items()))
    files["docker/config.json"] = json.dumps({"credHelpers": {registry: "gcr"}})
    config = {
        "write_files": [
            {"path": f"{_OWN_FOLDER}/{name}", "permissions": "0644", "owner": "root", "content": content}
            for name, content in files.items()
        ],
        "runcmd": [["bash", f"{_OWN_FOLDER}/prepare.sh"]],
    }
    # JSON is YAML too, and needs no care for blanks.
    return f"#cloud-config\n{json.dumps(config, indent=1)}\n"
