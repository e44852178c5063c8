"""The batch job's image on this computer, built by its Docker daemon, which needs no registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_docker as docker

from infra.build_context import content_hash

_ROOT: Final = Path(__file__).resolve().parents[1]
_DIGITS: Final = 12


@dataclass(frozen=True)
class LocalImageArgs:
    """What an image is built from."""

    dockerfile: str
    """Path in the repository; `<path>.dockerignore` says what the build sees."""


class LocalImage(pulumi.ComponentResource):
    """An image of the daemon. It is built anew where the code has changed."""

    image_id: pulumi.Output[str]
    """What to run."""

    def __init__(self, name: str, args: LocalImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:LocalImage", name, None, opts)
        content = content_hash(_ROOT, args.dockerfile)
        image = docker.RemoteImage(
            name,
            # Another name for another content: the old image is removed by its name, after the new one was built.
            name=f"{name}:{content[:_DIGITS]}",
            # Full paths, as the Dockerfile's is taken from where Pulumi runs by one builder, and from the context by
            # another. The builder `default` is the daemon's own; any other would first pull an image of itself.
            build=docker.RemoteImageBuildArgs(
                context=str(_ROOT), dockerfile=str(_ROOT / args.dockerfile), builder="default"
            ),
            triggers={"content": content},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.image_id = image.image_id
        self.register_outputs({"imageId": self.image_id})
