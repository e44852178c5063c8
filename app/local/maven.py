"""Get Java programs from the Maven repository: the jars that a lock names, each checked by its hash.

A lock has a line for each jar, `group:artifact:version[:classifier] SHA256`. The jars are fetched by Apache Ivy, which
comes with PySpark and knows the public repository. Set MAVEN_REPOSITORY to the address of another one.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from app.local.java import JavaMissing, find_java

_log = logging.getLogger(__name__)
_MINUTES: Final = 15
_TAIL_LINES: Final = 15


class JarsMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """Jars could not be had; the message says what to do."""


@dataclass(frozen=True)
class _Jar:
    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @classmethod
    def of(cls, line: str) -> "_Jar":
        name, sha256 = line.split()
        group, artifact, version, *classifier = name.split(":")
        return cls(group, artifact, version, "".join(classifier), sha256)

    @property
    def file(self) -> str:
        return "-".join(filter(None, (self.artifact, self.version, self.classifier))) + ".jar"

    @property
    def artifact_element(self) -> str:
        classifier = f" m:classifier={quoteattr(self.classifier)}" if self.classifier else ""
        return f'<artifact name={quoteattr(self.artifact)} type="jar" ext="jar"{classifier}/>'


def get_jars(lock: Path, folder: Path) -> Path:
    """Have the jars of a lock in a folder, fetched unless they are there, and give the folder.

    Two processes that ask at the same time wait for each other. Raises JarsMissing.
    """
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    mark = folder / ".complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if mark.is_file() and mark.read_text() == wanted:
            return folder
        jars = [_Jar.of(line) for line in lock.read_text().splitlines()]
        _log.info("fetching %d jars into %s (once)", len(jars), folder)
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            found = _fetch(jars, Path(work))
            for jar in jars:
                _check(jar, found / jar.file)
            mark_there = found / mark.name
            mark_there.write_text(wanted)
            found.rename(folder)
    return folder


def _fetch(jars: list[_Jar], work: Path) -> Path:
    lines = [
        '<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">',
        '<info organisation="local" module="jars"/><configurations><conf name="default"/></configurations>',
        "<dependencies>",
        *_dependencies(jars),
        "</dependencies></ivy-module>",
    ]
    module, found = work / "ivy.xml", work / "jars"
    module.write_text("\n".join(lines))
    try:
        java = find_java(modules=()).program
    except JavaMissing as error:
        raise JarsMissing(str(error)) from error
    command = [str(java), "-jar", str(_ivy()), "-ivy", str(module), "-cache", str(work / "cache"), "-warn"]
    command += ["-retrieve", f"{found}/[artifact]-[revision](-[classifier]).[ext]"]
    if repository := os.environ.get("MAVEN_REPOSITORY"):
        settings = work / "ivysettings.xml"
        settings.write_text(
            '<ivysettings><settings defaultResolver="maven"/><resolvers><ibiblio name="maven" m2compatible="true" '
            f"root={quoteattr(repository.rstrip('/') + '/')}/></resolvers></ivysettings>"
        )
        command += ["-settings", str(settings)]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60 * _MINUTES)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise JarsMissing(f"The Maven repository did not give all jars within {_MINUTES} minutes.") from error
    if answer.returncode or not found.is_dir():
        tail = "\n".join((answer.stdout + answer.stderr).splitlines()[-_TAIL_LINES:])
        raise JarsMissing(
            f"The Maven repository did not give all jars:\n{tail}\nIf it is not reached from here, set "
            "MAVEN_REPOSITORY to the address of one that is."
        )
    return found


def _dependencies(jars: list[_Jar]) -> Iterator[str]:
    """One element for each module, of which several jars may be wanted."""
    for (group, artifact, version), own in groupby(jars, lambda jar: (jar.group, jar.artifact, jar.version)):
        yield (
            f"<dependency org={quoteattr(group)} name={quoteattr(artifact)} rev={quoteattr(version)} "
            f'transitive="false" conf="default->*">{"".join(jar.artifact_element for jar in own)}</dependency>'
        )


def _check(jar: _Jar, file: Path) -> None:
    if not file.is_file():
        raise JarsMissing(f"The Maven repository did not give {jar.file}.")
    if hashlib.sha256(file.read_bytes()).hexdigest() != jar.sha256:
        raise JarsMissing(f"{jar.file} of the Maven repository is another file than the one that was locked.")


def _ivy() -> Path:
    try:
        import pyspark
    except ImportError as error:
        raise JarsMissing("The package pyspark is missing. Install the extra: uv pip install '.[batch]'") from error
    found = sorted(Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"))
    if not found:
        raise JarsMissing("PySpark has no Apache Ivy in this version.")
    return found[-1]
