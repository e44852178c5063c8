"""The batch job's image on this computer, built by its Docker daemon, which needs no registry."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_docker as docker

_ROOT: Final = Path(__file__).resolve().parents[1]
_CONTENT: Final = ("app", "pyproject.toml", "requirements.lock")
"""What `.dockerignore` lets through."""
_DIGITS: Final = 12


@dataclass(frozen=True)
class LocalImageArgs:
    """What an image is built from."""

    dockerfile: str
    """Path in the repository."""


class LocalImage(pulumi.ComponentResource):
    """An image of the daemon. It is built anew where the code has changed."""

    image_id: pulumi.Output[str]
    """What to run."""

    def __init__(self, name: str, args: LocalImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:LocalImage", name, None, opts)
        content = content_hash(_ROOT)
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


def content_hash(root: Path) -> str:
    """A hash of all that goes into an image, names and contents."""
    hasher = hashlib.sha256()
    for file in _files(root):
        hasher.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _CONTENT:
        path = root / name
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)
