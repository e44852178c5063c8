"""What a machine with Container-Optimized OS is told: to run one container as a service, and to keep it running."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Final

_CLOUD_CONFIG: Final = Template("""\
#cloud-config

users:
- name: $name
  uid: 2000

write_files:
- path: /etc/systemd/system/$name.service
  permissions: "0644"
  owner: root
  content: |
    [Unit]
    Description=$description
    Wants=network-online.target
    Requires=docker.service
    After=network-online.target docker.service

    [Service]
    Environment=HOME=/home/$name
    ExecStartPre=/usr/bin/docker-credential-gcr configure-docker --registries=$registry
    ExecStartPre=-/usr/bin/docker rm --force $name
    ExecStart=/usr/bin/docker run --rm --name=$name --read-only --tmpfs=/tmp --cap-drop=ALL \\
      --security-opt=no-new-privileges $environment--entrypoint=$entrypoint \\
      $image \\
      $arguments
    ExecStop=/usr/bin/docker stop --time=60 $name
    TimeoutStartSec=600
    TimeoutStopSec=90
    Restart=on-failure
    RestartSec=30
    # What was stopped has kept its place; a wrong setting is wrong the next time too.
    SuccessExitStatus=143
    RestartPreventExitStatus=2

runcmd:
- systemctl daemon-reload
- systemctl start --no-block $name.service
""")


@dataclass(frozen=True)
class Service:
    """A container that a machine runs. Values have no blanks, quotes or dollar signs."""

    name: str
    description: str
    image: str
    """By its digest."""
    registry: str
    """Host that the image comes from; the machine's account must be able to read there."""
    entrypoint: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def cloud_config(service: Service) -> str:
    """Give the machine's user data. The system forgets it when it stops, and reads it each time that it starts."""
    return _CLOUD_CONFIG.substitute(
        name=service.name,
        description=service.description,
        image=service.image,
        registry=service.registry,
        entrypoint=service.entrypoint,
        # systemd takes a percent sign for the beginning of a specifier.
        arguments=" ".join(service.arguments).replace("%", "%%"),
        environment="".join(f"--env={name}={value} " for name, value in service.environment.items()),
    )
