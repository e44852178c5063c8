"""A container image, built from the repository's code and pushed. What runs it names it by its digest.

Docker on this computer logs in to the registry (`gcloud auth configure-docker REGION-docker.pkg.dev`, once). A token
given here would stand in the state, and be out of date when a refresh asks the registry for the image.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker_build as docker_build
from pulumi.output import UNKNOWN

from infra.registry import Registry

CONTEXT = ".."
"""The repository, seen from `infra/`, where Pulumi runs. A full path would differ from machine to machine, and so would
build the image anew on each."""


@dataclass(frozen=True)
class ImageArgs:
    """What an image is built from, and where it goes."""

    registry: Registry
    dockerfile: str
    """Path in the repository; `<path>.dockerignore` says what the build sees."""
    tag: str = "current"


class Image(pulumi.ComponentResource):
    """An image in the registry."""

    ref: pulumi.Output[str]
    """What to run: HOST/PROJECT/REPOSITORY/NAME@sha256:..."""
    digest: pulumi.Output[str]
    """sha256:..."""

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Image", name, None, opts)
        image = docker_build.Image(
            name,
            tags=[pulumi.Output.concat(args.registry.url, f"/{name}:{args.tag}")],
            context=docker_build.BuildContextArgs(location=CONTEXT),
            dockerfile=docker_build.DockerfileArgs(location=f"{CONTEXT}/{args.dockerfile}"),
            platforms=[docker_build.Platform.LINUX_AMD64],
            # Docker's own program builds, with the daemon's BuildKit. What the provider has built in cannot use it, and
            # would make a builder: a container that nobody removes, of an image that nobody has pinned.
            exec_=True,
            builder=docker_build.BuilderConfigArgs(name="default"),
            push=True,
            build_on_preview=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.digest = image.digest.apply(_known)
        self.ref = pulumi.Output.concat(args.registry.url, f"/{name}@", self.digest)
        self.register_outputs({"ref": self.ref, "digest": self.digest})


def _known(digest: str) -> Any:
    """In a preview of changed code it is empty, and would be taken for a digest (docker-build 0.0.22)."""
    return digest or UNKNOWN
