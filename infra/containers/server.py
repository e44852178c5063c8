"""A container as it is run: limited, watched, restarted, with data that outlives it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.containers.leftovers import STACK_LABEL
from infra.containers.spec import File, Spec, go_duration


@dataclass(frozen=True)
class ServerArgs:
    """A container and what it has in common with the others of its machine."""

    spec: Spec
    network: pulumi.Input[str]
    labels: Mapping[str, str]
    owner: pulumi.Input[str]
    """The stack's id, a label of the container."""
    leftovers: pulumi.ResourceHook
    """Removes what has the container's name and is the stack's, before it is made."""
    address: pulumi.Input[str]
    """The machine's address that the port is opened on."""
    port_offset: int
    """Added to the port outside the container."""
    data_folder: str | None
    """The machine's folder of data; Docker's own where None."""
    machine: pulumi.Resource | None
    """The machine with which the container goes, and is made anew; None for this computer."""


def on_machine(
    parent: pulumi.Resource,
    machine: pulumi.Resource | None,
    *,
    secret: tuple[str, ...] = (),
    first: pulumi.ResourceHook | None = None,
) -> pulumi.ResourceOptions:
    """The options of what Docker has on a machine, and that goes with it.

    `secret` names its secret outputs; `first` runs before it is made.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        # Names are fixed, so that the old one has to go first.
        delete_before_replace=True,
        deleted_with=machine,
        replace_with=[machine] if machine else None,
        additional_secret_outputs=list(secret),
        hooks=pulumi.ResourceHookBinding(before_create=[first]) if first else None,
    )


class Server(pulumi.ComponentResource):
    """A running container with its image and its data. Takes its docker provider from the options."""

    name: str
    """Of the container."""
    container: docker.Container
    port: pulumi.Output[int | None]
    """On the machine."""

    def __init__(self, name: str, args: ServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Server", name, None, opts)
        self.name, self._args = name, args
        port = args.spec.port + args.port_offset if args.spec.port else None
        self.container = self._container(self._image(), port)
        self.port = pulumi.Output.from_input(port)
        self.register_outputs({"port": self.port})

    def _options(self) -> pulumi.ResourceOptions:
        return on_machine(self, self._args.machine)

    def _image(self) -> pulumi.Input[str]:
        spec = self._args.spec
        if not spec.is_pulled:
            return spec.image
        # By the id, which is the content: a tag or a reference that is the same would not make the container anew.
        image = docker.RemoteImage(f"{self.name}-image", name=spec.image, opts=self._options())
        return image.image_id

    def _container(self, image: pulumi.Input[str], port: int | None) -> docker.Container:
        args, spec = self._args, self._args.spec
        health, labels = spec.health, {**args.labels, STACK_LABEL: args.owner}
        return docker.Container(
            self.name,
            name=self.name,
            hostname=spec.role,
            image=image,
            command=list(spec.command) if spec.command else None,
            envs=[pulumi.Output.concat(key, "=", value) for key, value in sorted(spec.environment.items())] or None,
            user=spec.user,
            uploads=[self._upload(file) for file in spec.files],
            volumes=self._volumes(),
            ports=[docker.ContainerPortArgs(internal=spec.port, external=port, ip=args.address, protocol="tcp")]
            if spec.port
            else None,
            # Docker names what is left out by the one or the other name, from version to version.
            network_mode="bridge",
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network, aliases=[spec.role])],
            memory=spec.memory_mb,
            memory_swap=spec.memory_mb,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            restart="unless-stopped",
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "3"},
            destroy_grace_seconds=spec.stop_seconds,
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=list(health.command),
                interval=go_duration(health.interval_seconds),
                timeout=go_duration(health.timeout_seconds),
                start_period=go_duration(health.start_seconds),
                retries=health.retries,
            ),
            wait=health.wait_seconds is not None,
            wait_timeout=health.wait_seconds,
            labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(labels.items())],
            # Some files and variables hold passwords.
            opts=on_machine(self, args.machine, secret=("uploads", "envs"), first=args.leftovers),
        )

    def _upload(self, file: File) -> docker.ContainerUploadArgs:
        user, group = self._args.spec.user.split(":")
        permissions = "0400" if file.is_secret else "0444"
        return docker.ContainerUploadArgs(
            file=file.path, content=file.content, owner=user, group=group, permissions=permissions
        )

    def _volumes(self) -> list[docker.ContainerVolumeArgs]:
        spec = self._args.spec
        volumes = [
            docker.ContainerVolumeArgs(host_path=mount.machine_path, container_path=mount.path, read_only=True)
            for mount in spec.mounts
        ]
        if spec.data_path:
            volume = self._volume()
            volumes.append(docker.ContainerVolumeArgs(volume_name=volume.name, container_path=spec.data_path))
        volumes += [
            docker.ContainerVolumeArgs(
                volume_name=shared.name, container_path=shared.path, read_only=shared.is_read_only or None
            )
            for shared in spec.shared
        ]
        return volumes

    def _volume(self) -> docker.Volume:
        args = self._args
        # Docker would make a folder that is mounted as such where it is missing, as long as the disk is not there.
        folder = {"type": "none", "o": "bind", "device": f"{args.data_folder}/{args.spec.role}"}
        return docker.Volume(
            f"{self.name}-data",
            name=self.name,
            driver="local",
            driver_opts=folder if args.data_folder else None,
            labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in sorted(args.labels.items())],
            opts=self._options(),
        )
