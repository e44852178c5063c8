"""What docker-build 0.0.22 does: a hash of what would be sent, the digest of the image, and builders that stay."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.infra.engine.stand_in.values import digest_of

IMAGE = "docker-build:index:Image"
EXPECTED = {"digest": "", "ref": ""}
"""What docker-build 0.0.22 gives in a preview of a changed image: no unknown values, but empty ones."""


BUILDER = "docker:buildx:Builder"
"""A container of `moby/buildkit`, which the provider makes and never removes."""


def makes_builder(kind: str, inputs: Mapping[str, Any]) -> bool:
    """Whether the provider builds an image by itself, with no builder that it can use: Docker's own it cannot."""
    return (
        kind == IMAGE and not inputs.get("exec") and (inputs.get("builder") or {}).get("name", "default") == "default"
    )


class NoContext(ValueError):  # noqa: N818 - what is missing
    """The context or the Dockerfile does not exist; the real provider says so in a preview too."""


def context_hash(inputs: Mapping[str, Any], folder: Path) -> str:
    """A hash of the files that the build would be given; paths are relative to the program's `folder`."""
    location = (inputs.get("context") or {}).get("location", ".")
    root = folder / location
    dockerfile = inputs.get("dockerfile") or {}
    told = dockerfile.get("inline")
    where = folder / dockerfile["location"] if dockerfile.get("location") else root / "Dockerfile"
    if not root.is_dir():
        raise NoContext(f"context: {root} is no folder")
    if told is None and not where.is_file():
        raise NoContext(f"dockerfile: {where} does not exist")
    state = hashlib.sha256((told or where.read_text()).encode())
    for file in _sent(root, where):
        state.update(f"{file.relative_to(root)}\0{file.stat().st_mode & 0o111}\0".encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def built(inputs: Mapping[str, Any], context: str) -> dict[str, Any]:
    """The outputs of an image that was built and pushed."""
    settings = {key: value for key, value in inputs.items() if key in ("buildArgs", "platforms", "target", "tags")}
    digest = f"sha256:{digest_of(context, sorted(settings.items()))}"
    tags = inputs.get("tags") or [""]
    return {"contextHash": context, "digest": digest, "ref": f"{tags[0]}@{digest}"}


@dataclass
class _Rule:
    """A line of an ignore file: what it matches, and whether it keeps that instead of leaving it out."""

    text: str
    keeps: bool

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A pattern of paths; what matches a folder matches all in it."""
        text = ""
        for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]*\])", self.text):
            wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
            text += wild or (part if part.startswith("[") else re.escape(part))
        return re.compile(f"{text}(?:/.*)?")

    def may_keep_below(self, folder: str) -> bool:
        """Whether something in a folder that is left out may be kept by this rule."""
        return self.keeps and (self.text.startswith((f"{folder}/", "*")))


def _sent(root: Path, dockerfile: Path) -> Iterator[Path]:
    """The files of a context that its ignore file lets through, in a fixed order."""
    own = dockerfile.with_name(dockerfile.name + ".dockerignore")
    ignore = own if own.is_file() else root / ".dockerignore"
    lines = map(str.strip, ignore.read_text().splitlines() if ignore.is_file() else [])
    told = [line for line in lines if line and not line.startswith("#")]
    yield from _walk(root, root, [_Rule(line.lstrip("!").strip("/"), line.startswith("!")) for line in told])


def _walk(folder: Path, root: Path, rules: list[_Rule]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        name = str(path.relative_to(root))
        ignored = False
        for rule in rules:
            if rule.pattern.fullmatch(name):
                ignored = not rule.keeps
        if path.is_dir() and not path.is_symlink():
            if not ignored or any(rule.may_keep_below(name) for rule in rules):
                yield from _walk(path, root, rules)
        elif path.is_file() and not ignored:
            yield path
