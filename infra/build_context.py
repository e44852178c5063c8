"""What a build of an image sees of the repository: what the ignore file beside its Dockerfile lets through."""

import hashlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath


def content_hash(root: Path, dockerfile: str) -> str:
    """A hash of all that goes into an image, names and contents: SHA-256 in hexadecimal digits."""
    hasher = hashlib.sha256()
    for file in [root / dockerfile, *seen(root, dockerfile)]:
        hasher.update(f"{file.relative_to(root).as_posix()}\0{file.stat().st_size}\0".encode())
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def seen(root: Path, dockerfile: str) -> list[Path]:
    """The files of the repository `root` that the build of a Dockerfile sees, sorted."""
    lines = (root / f"{dockerfile}.dockerignore").read_text().splitlines()
    patterns = [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    return sorted(file for file in _named(root, patterns) if _is_seen(file.relative_to(root), patterns))


def _named(root: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """The files of what is let through; to walk through all others would take long."""
    for pattern in patterns:
        if pattern.startswith("!"):
            path = root / pattern.removeprefix("!")
            yield from (file for file in [path, *path.rglob("*")] if file.is_file())


def _is_seen(path: PurePath, patterns: Sequence[str]) -> bool:
    """The last pattern that a path, or a folder above it, matches decides, as Docker does it."""
    decided = True
    for pattern in patterns:
        form = pattern.removeprefix("!").rstrip("/")
        if any(fnmatchcase(str(part), form) for part in (path, *path.parents)):
            decided = pattern.startswith("!")
    return decided
