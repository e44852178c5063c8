"""Find the jars of a Cassandra server, or get them: as installed, else from the Maven repository by a lock."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.local.maven import JarsMissing, get_jars
from app.local.process import ServerError

CACHE: Final = Path(__file__).parents[2] / ".cache" / "cassandra"
LOCK: Final = Path(__file__).with_name("cassandra.lock")
"""The jars of org.apache.cassandra:cassandra-all:5.0.9 with all that they need on Linux and macOS. Remade by fetching
that with its dependencies, and writing down what came."""

_MAJOR: Final = 5
_PACKAGED: Final = Path("/usr/share/cassandra")


def get_cassandra() -> list[Path]:
    """The jars of a server: those of an installed Cassandra 5 (CASSANDRA_HOME, the PATH, Debian's place), else Maven's.

    Raises ServerError, whose message says what to do.
    """
    for home in _homes():
        if jars := jars_of(home):
            return jars
    try:
        return sorted(get_jars(LOCK, CACHE).glob("*.jar"))
    except JarsMissing as error:
        raise ServerError(
            f"No Cassandra {_MAJOR} on this machine, and none could be had. {error}\nInstall one and set "
            "CASSANDRA_HOME to its folder."
        ) from error


def jars_of(home: Path) -> list[Path]:
    """The jars of a Cassandra in a folder, from an archive or a package; none where there is none of the version."""
    if not any(home.glob(f"**/apache-cassandra-{_MAJOR}.*.jar")):
        return []
    return sorted({*home.glob("lib/*.jar"), *home.glob("*.jar")})


def _homes() -> Iterator[Path]:
    if named := os.environ.get("CASSANDRA_HOME"):
        yield Path(named)
    if program := shutil.which("cassandra"):
        yield Path(program).resolve().parents[1]
    yield _PACKAGED
