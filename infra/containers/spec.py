"""What a container is, apart from where it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


def go_duration(seconds: int) -> str:
    """Write a duration as Docker gives it back: `1m0s`. Any other form shows as a change at each refresh."""
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


@dataclass(frozen=True)
class HealthCheck:
    """A command in the container that ends with 0 where all is well. Docker runs it again and again."""

    command: tuple[str, ...]
    """`CMD` and the words of a command, or `CMD-SHELL` and one line for a shell."""
    start_seconds: int
    """How long it may fail after the start."""
    interval_seconds: int = 15
    timeout_seconds: int = 10
    retries: int = 4
    wait_seconds: int | None = 300
    """How long `pulumi up` waits for it; None where it does not."""


@dataclass(frozen=True)
class File:
    """A file that is put into a container before it starts. Another content makes the container anew."""

    path: str
    content: pulumi.Input[str]
    is_secret: bool = False
    """Whether it is for the container's user alone."""


@dataclass(frozen=True)
class Mount:
    """A folder of the machine in a container."""

    machine_path: str
    path: str


@dataclass(frozen=True)
class SharedVolume:
    """A volume of Docker's that several containers have."""

    name: pulumi.Input[str]
    path: str
    is_read_only: bool = False


@dataclass(frozen=True)
class Spec:
    """A container. Its process is no root and has no capabilities, and no password is in its environment."""

    role: str
    """Its name after the environment's, and its name in the network."""
    image: pulumi.Input[str]
    """A reference with digest, which is pulled, or the id of an image that the daemon has (`is_pulled` false)."""
    user: str
    """User and group, by number. The image gives them its folder of data."""
    memory_mb: int
    health: HealthCheck
    is_pulled: bool = True
    port: int | None = None
    """Where it listens, opened on one address of the machine."""
    data_path: str | None = None
    """Where its data is, which outlives it."""
    command: Sequence[pulumi.Input[str]] | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    files: Sequence[File] = ()
    mounts: Sequence[Mount] = ()
    shared: Sequence[SharedVolume] = ()
    stop_seconds: int = 30
    """How long it has to end by itself."""
