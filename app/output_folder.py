"""A folder that a command writes its results into: what it made there it replaces, and nothing that it did not make."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

MARKER: Final = ".shop-analytics"
_TEXT: Final = "Results of shop-analytics are in this folder, and the next ones take their place.\n"


class NotOursError(ValueError):
    """A folder has what would be replaced, and no command of ours has made it; the message says what to do."""


def claim(folder: Path, names: Iterable[str]) -> None:
    """Make the folder, and mark it as one in which files and folders of these names may be replaced.

    Raises:
        NotOursError: it is not marked, and has one of them.
        OSError: it cannot be written.
    """
    if not (folder / MARKER).is_file():
        found = sorted(name for name in names if (folder / name).exists() or (folder / name).is_symlink())
        if found:
            raise NotOursError(
                f"{folder} already has {', '.join(found)}, which would be replaced, and which no earlier run has made. "
                "Give another folder as --out, or move them away."
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(_TEXT)
