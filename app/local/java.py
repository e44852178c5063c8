"""Find a Java that can run Spark, or get one: as found, else downloaded by cjdk, else from the system's packages."""

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

_PACKAGES = ("openjdk-17-jre-headless", "openjdk-21-jre-headless")
_log = logging.getLogger(__name__)
CACHE = Path(__file__).parents[2] / ".cache" / "java"
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


def get_java(*, system_packages: bool = False) -> Java:
    """A Java that can run Spark: one that is here, else one downloaded into `.cache`, else one from Debian's packages.

    Packages of the system are installed only if `system_packages` allows it and this process is root. Raises
    JavaMissing, whose message says what was tried and what to do.
    """
    try:
        return find_java()
    except JavaMissing as missing:
        faults = [str(missing)]
    for get in (_download, *((_install_package,) if system_packages else ())):
        try:
            get()
            return find_java()
        except JavaMissing as missing:
            faults.append(str(missing))
    tried = "\n".join(f"- {fault}" for fault in faults)
    raise JavaMissing(
        f"Spark needs Java {MINIMUM} or newer with the module {', '.join(SPARK_MODULES)}.\n{tried}\n"
        f"Install one, e.g. `apt-get install openjdk-{MINIMUM}-jre-headless` or `brew install openjdk@{MINIMUM}`, "
        "or set JAVA_HOME to the folder of one."
    )


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
    raise JavaMissing(f"No fitting Java {minimum} or newer on this machine: {tried}.")


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
    for folder in (*_JVM_FOLDERS, CACHE):
        yield from sorted({file.resolve().parents[1] for file in folder.rglob("bin/java")})


def _download() -> None:
    import cjdk

    _log.info("downloading Java %d into %s (once)", MINIMUM, CACHE)
    try:
        cjdk.java_home(vendor="temurin", version=str(MINIMUM), cache_dir=CACHE)
    except (cjdk.CjdkError, OSError) as error:
        raise JavaMissing(f"The download of Java {MINIMUM} by cjdk failed: {error}") from error


def _install_package() -> None:
    program = shutil.which("apt-get")
    if not program or os.geteuid() != 0:
        raise JavaMissing("The system's packages were not tried: that needs apt-get and to be root.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    fault = ""
    for arguments in (["update"], *(["install", "-y", "--no-install-recommends", name] for name in _PACKAGES)):
        _log.info("apt-get %s", " ".join(arguments))
        answer = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment)  # noqa: S603
        if arguments[0] == "install" and answer.returncode == 0:
            return
        fault = fault or answer.stderr.strip()
    raise JavaMissing(f"apt-get could not install {' or '.join(_PACKAGES)}: {fault or 'no reason given'}")
