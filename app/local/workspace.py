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
    """Turn SIGTERM and SIGHUP into SystemExit (128 + number), so that `finally` and `with` clean up as on Ctrl-C.

    Does nothing outside the main thread, where Python takes no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not break the cleaning up
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
