"""Servers start, answer and end with their owner, however that one ends."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from app.local.process import (
    Command,
    ServerError,
    accepts_connections,
    answers_http,
    free_port,
    running,
    start,
)
from app.local.workspace import workspace

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
# Starts a child of its own, as a shell script that wraps a server does.
SLEEPERS = "import subprocess, sys; print('started', flush=True); subprocess.run(['sleep', '600'])"


def _python(code: str, name: str = "Test server", seconds: float = 20, **environment: str) -> Command:
    return Command(name, [sys.executable, "-c", textwrap.dedent(code)], environment, seconds, advice="Do this.")


def _http_server(port: int) -> Command:
    arguments = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    return Command("Web server", arguments, {}, seconds=20)


def _wait(condition: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_a_server_runs_until_the_end_of_the_block(tmp_path: Path) -> None:
    port = free_port()
    with running(_http_server(port), tmp_path, lambda: answers_http(port, "/")) as server:
        assert accepts_connections(port)
        assert psutil.Process(server.pid).cmdline()[2:4] == ["http.server", str(port)]
    assert not accepts_connections(port)
    assert not server.is_running
    assert not list(tmp_path.glob("*.pid"))


def test_two_servers_run_on_ports_of_their_own(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    assert ports[0] != ports[1]
    with (
        running(_http_server(ports[0]), tmp_path, lambda: answers_http(ports[0], "/")) as one,
        running(_http_server(ports[1]), tmp_path, lambda: answers_http(ports[1], "/")) as other,
    ):
        assert one.log != other.log
        assert one.pid != other.pid


def test_no_port_is_given_twice_to_servers_that_start_together() -> None:
    with ThreadPoolExecutor(8) as pool:
        ports = list(pool.map(lambda _: free_port(), range(2000)))
    assert len(set(ports)) == len(ports)


def test_a_server_that_ends_at_its_start_is_an_error_with_the_end_of_its_log_and_advice(tmp_path: Path) -> None:
    code = "import sys; [print('line', i) for i in range(100)]; sys.exit('cannot open the database')"
    with pytest.raises(ServerError) as caught, running(_python(code), tmp_path, lambda: False):
        pass
    message = str(caught.value)
    assert "Test server ended at its start with exit code 1" in message
    assert "cannot open the database" in message
    assert "line 99" in message
    assert "line 3\n" not in message
    assert message.endswith("Do this.")


def test_a_server_whose_port_is_taken_is_an_error_even_though_another_one_answers(tmp_path: Path) -> None:
    port = free_port()
    with running(_http_server(port), tmp_path, lambda: answers_http(port, "/")):
        second = start(_http_server(port), tmp_path)
        assert _wait(lambda: not second.is_running)
        with pytest.raises(ServerError, match="Address already in use"):
            second.wait_until(lambda: answers_http(port, "/"))


def test_a_server_that_does_not_answer_in_time_is_an_error_and_is_stopped(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match="did not answer within 1 s"),
        running(_python(SLEEPERS, seconds=1), tmp_path, lambda: False),
    ):
        pass
    (log,) = tmp_path.glob("*.log")
    assert log.read_text() == "started\n"
    assert not list(tmp_path.glob("*.pid"))


def test_a_program_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match="no-such-program: No such file"),
        running(Command("Ghost", ["no-such-program"], {}, seconds=5), tmp_path, lambda: False),
    ):
        pass


def test_stopping_ends_what_the_server_started_and_one_that_ignores_the_request(tmp_path: Path) -> None:
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPERS}"
    server = start(_python(stubborn), tmp_path)
    assert _wait(lambda: bool(psutil.Process(server.pid).children()))
    (child,) = psutil.Process(server.pid).children()
    server.stop()
    assert not server.is_running
    assert _wait(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    server.stop()


def test_a_paused_server_does_not_answer_and_then_goes_on(tmp_path: Path) -> None:
    port = free_port()
    with running(_http_server(port), tmp_path, lambda: answers_http(port, "/")) as server:
        with server.paused():
            assert not answers_http(port, "/", seconds=0.5)
        assert answers_http(port, "/")


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started = []
    thread = threading.Thread(target=lambda: started.append(start(_python(SLEEPERS), tmp_path)))
    thread.start()
    thread.join()
    time.sleep(0.5)
    assert started[0].is_running
    started[0].stop()


def test_the_environment_of_a_command_is_added_to_our_own(tmp_path: Path) -> None:
    code = "import os; print(os.environ['FLAVOUR'], 'PATH' in os.environ, os.getcwd())"
    server = start(_python(code, FLAVOUR="vanilla"), tmp_path)
    assert _wait(lambda: not server.is_running)
    assert server.log_tail() == f"vanilla True {tmp_path}"
    server.stop()


def test_a_workspace_is_removed_at_its_end_and_on_an_error() -> None:
    folders = []

    def use_and_fail() -> None:
        with workspace() as folder:
            folders.append(folder)
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use_and_fail()
    assert not folders[0].exists()


def test_the_watcher_alone_ends_the_servers_of_a_dead_owner_and_removes_their_folder(tmp_path: Path) -> None:
    """What happens where the kernel does not kill the children of a process that dies."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as server:
        (folder / "server.pid").write_text(str(server.pid))
        (folder / "half-written.pid").write_text("")
        guard = [sys.executable, "-I", "-S", str(REPOSITORY / "app" / "local" / "guard.py")]
        subprocess.run([*guard, "watch", str(os.getpid()), str(folder)], stdin=subprocess.DEVNULL, check=True)
        assert server.wait(10) == -signal.SIGKILL
    assert not folder.exists()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another Python that holds a workspace with a server; prints their folder and process ids."""
    program = tmp_path / "owner.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            from app.local.process import Command, running
            from app.local.workspace import exit_on_signals, workspace
            sleepers = Command("Sleepers", [sys.executable, "-c", {SLEEPERS!r}], {{}}, 20)
            with exit_on_signals(), workspace() as folder:
                log = lambda: any(file.read_text() for file in folder.glob("*.log"))
                with running(sleepers, folder, log) as server:
                    print(folder, server.pid, flush=True)
                    try:
                        time.sleep(600)
                    finally:
                        print("cleaning up", flush=True)
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("number", "exit_code", "last_words"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 128 + signal.SIGTERM, "cleaning up\n"),
        (signal.SIGINT, -signal.SIGINT, "cleaning up\n"),
    ],
)
def test_nothing_is_left_when_the_owner_is_ended_by_a_signal(
    owner: "subprocess.Popen[str]", number: signal.Signals, exit_code: int, last_words: str
) -> None:
    assert owner.stdout
    folder, pid = owner.stdout.readline().split()
    server = psutil.Process(int(pid))
    members = [server, *server.children(recursive=True)]
    assert len(members) == 2
    owner.send_signal(number)
    assert owner.wait(20) == exit_code
    assert owner.stdout.read() == last_words
    assert _wait(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)
    assert _wait(lambda: not Path(folder).exists())
    assert _wait(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in members))


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
)
def test_a_signal_that_comes_where_exceptions_are_dropped_still_ends_the_program_and_lets_it_clean_up(
    number: signal.Signals, exit_code: int
) -> None:
    code = f"""
        import signal, time
        from app.local.workspace import exit_on_signals
        class Dropped:
            def __del__(self):
                signal.raise_signal({number:d})
        with exit_on_signals():
            try:
                Dropped()
                print("dropped", flush=True)
                time.sleep(600)
            finally:
                for _ in range(3):
                    signal.raise_signal({number:d})
                time.sleep(1)
                print("cleaned up", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )
    assert done.stdout.split("\n") == ["dropped", "cleaned up", ""]
    assert done.returncode == exit_code
    assert "Exception ignored in" in done.stderr
