"""The staging folder of a run: files that are needed while it lasts, and what becomes of those of killed runs.

A local folder is held with a lock that ends with its process, so that a folder without one is known to be left over,
unless it is the base of the next run.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from app.batch.base import KEPT, base_run
from app.batch.errors import BatchError
from app.batch.folder import Folder
from app.batch.stores import RUN_ID, Run

_PREFIX: Final = "run-"


@contextmanager
def staging_folder(root: str, run: Run) -> Iterator[Folder]:
    """A run's own folder below `root`; what killed runs left in a local `root` is removed first.

    At the end it is removed, or where the run has become the base, all of it that a base does not keep. Several runs
    may have one `root` at the same time.

    Raises:
        BatchError: the folder cannot be made.
    """
    folder = Folder(f"{root.rstrip('/')}/{_PREFIX}{run.id}")
    with ExitStack() as stack:
        if folder.is_local:
            try:
                stack.enter_context(_made(Path(root), folder))
            except OSError as error:
                raise BatchError(
                    f"{root} cannot be written: {error.strerror}; give another folder with --staging"
                ) from error
        stack.callback(_tidy, root, folder, run)
        yield folder


def _tidy(root: str, folder: Folder, run: Run) -> None:
    if base_run(root) != run.id:
        folder.remove()
        return
    for name in folder.names():
        if name not in KEPT:
            folder.below(name).remove()


def _made(root: Path, folder: Folder) -> ExitStack:
    """Make a run's folder and lock it. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, _held(root, fcntl.LOCK_EX):  # so that nobody finds the folder before it is locked
        _remove_left(root)
        folder.make("spark")
        stack.enter_context(_held(Path(folder.root), fcntl.LOCK_EX))
        return stack.pop_all()


def _remove_left(root: Path) -> None:
    base = base_run(str(root))
    for left in root.glob(f"{_PREFIX}*"):
        run = left.name.removeprefix(_PREFIX)
        if RUN_ID.fullmatch(run) and run != base:
            with suppress(OSError), _held(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _held(folder: Path, kind: int) -> Iterator[None]:
    """Lock a folder. Raises BlockingIOError where another process has it and `kind` does not wait."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)
