"""A temporary folder that is removed with all that runs in it, however its owner ends."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_GUARD = Path(__file__).with_name("guard.py")
_AGAIN_SECONDS = 0.2


@contextmanager
def workspace(prefix: str = "shop-") -> Iterator[Path]:
    """Give a new temporary folder, and remove it at the end or when this process dies in any way.

    A watching process of its own outlives a SIGKILL of this one. It kills the process groups that the folder's
    `*.pid` files name, and removes the folder.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    watcher = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", str(_GUARD), "watch", str(os.getpid()), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if watcher.stdin:
            watcher.stdin.close()
        watcher.wait()


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Leave the block on SIGINT (by KeyboardInterrupt), SIGTERM and SIGHUP (by SystemExit of 128 + number).

    `finally` and `with` clean up, undisturbed by further signals. Where the exception is raised in a place that drops
    it, as a `__del__` or a library's callback does, it is raised again, until one is on its way out of the block.
    Does nothing outside the main thread, where Python takes no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    leaving: BaseException | None = None

    def leave(number: int, _frame: FrameType | None) -> None:
        nonlocal leaving
        if leaving and (number != signal.SIGALRM or leaving in _being_handled()):
            return
        leaving = leaving or (KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
        raise leaving

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _being_handled() -> Iterator[BaseException]:
    """The exception for which code runs just now in `except`, `finally` or `__exit__`, and those it came after."""
    error = sys.exception()
    while error:
        yield error
        error = error.__context__
