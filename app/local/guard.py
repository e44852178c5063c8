"""Makes sure that nothing outlives the process that started it, even when that one is killed with SIGKILL.

Run as a program with the standard library alone (`python -I -S guard.py ...`), in one of two roles:

    guard.py exec PARENT -- COMMAND...   become COMMAND, which the kernel kills when PARENT dies (Linux)
    guard.py watch PARENT FOLDER         wait for PARENT to end, then kill what FOLDER/*.pid names and remove FOLDER

The second role is what removes the files, and on systems without PR_SET_PDEATHSIG also the servers.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 1.0


def _execute(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # The parent may have died before the call, in which case no signal will come.
        if os.getppid() != parent:
            sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _watch(parent: int, folder: Path) -> None:
    # The other end of the standard input is held by the parent alone, so it ends with the parent. A copy of the
    # parent made by fork would hold it too: the process id of the parent tells as well.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == parent and not select.select([0], [], [], _POLL_SECONDS)[0]:
        pass
    for file in folder.glob("*.pid"):
        with contextlib.suppress(ValueError, OSError):
            os.killpg(int(file.read_text()), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Read the role from the command line; raises SystemExit with a message where the command cannot be run."""
    role, parent, *rest = sys.argv[1:]
    if role == "exec":
        _execute(int(parent), rest[1:])
    else:
        _watch(int(parent), Path(rest[0]))


if __name__ == "__main__":
    main()
