"""Find a Java that can run Spark, or get one."""

import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MINIMUM = 17
# Spark's launcher always adds this module, which slim runtimes leave out.
SPARK_MODULES = ("jdk.incubator.vector",)

_log = logging.getLogger(__name__)
_CACHE = Path(__file__).parents[2] / ".cache" / "java"
_JVM_FOLDERS = (Path("/usr/lib/jvm"), Path("/Library/Java/JavaVirtualMachines"))


class JavaMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """No fitting Java is here and none could be had; the message says what to do."""


@dataclass(frozen=True)
class Java:
    """A Java that was run and found fit: its folder (for JAVA_HOME) and its version's first number."""

    home: Path
    version: int

    @property
    def program(self) -> Path:
        """The `java` program."""
        return self.home / "bin" / "java"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Spark use it."""
        return {"JAVA_HOME": str(self.home)}


def find_java(*, minimum: int = MINIMUM, modules: tuple[str, ...] = SPARK_MODULES) -> Java:
    """The first Java on this machine that is new enough and has the modules; nothing is downloaded.

    Looks at JAVA_HOME, the PATH, the system's folders of Javas, and what was downloaded before. Raises JavaMissing.
    """
    seen: dict[Path, str] = {}
    for home in _homes():
        if home in seen:
            continue
        java = probe(home)
        if not java:
            seen[home] = "is no working Java"
        elif java.version < minimum:
            seen[home] = f"is Java {java.version}"
        elif lacking := set(modules) - _modules(java):
            seen[home] = f"lacks {', '.join(sorted(lacking))}"
        else:
            return java
    tried = "; ".join(f"{home} {fault}" for home, fault in seen.items()) or "none found"
    raise JavaMissing(f"No Java {minimum} or newer on this machine ({tried}). Install one, or set JAVA_HOME.")


def probe(home: Path) -> Java | None:
    """Run the Java in a folder and read its version; None if there is none that works."""
    output = _output([str(home / "bin" / "java"), "-XshowSettings:properties", "-version"])
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", output)
    return Java(home, int(version[1])) if version else None


def _modules(java: Java) -> set[str]:
    return {line.split("@")[0] for line in _output([str(java.program), "--list-modules"]).splitlines()}


def _output(command: list[str]) -> str:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout + answer.stderr


def _homes() -> Iterator[Path]:
    named = os.environ.get("JAVA_HOME")
    if named:
        yield Path(named)
    program = shutil.which("java")
    if program:
        yield Path(program).resolve().parents[1]
    for folder in (*_JVM_FOLDERS, _CACHE):
        for file in sorted(folder.rglob("bin/java"), reverse=True) if folder.is_dir() else ():
            yield file.resolve().parents[1]
