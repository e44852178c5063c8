"""Writing Grafana's files, also while it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_UNFINISHED: Final = ".unfinished"


def write_files(files: Mapping[str, str], out: Path) -> None:
    """Write texts by their path in `out`, each so that a reader sees the old file or the new one, whole.

    Raises:
        OSError: the folder cannot be written to.
    """
    for name, text in files.items():
        path = out / name
        # Grafana walks through a folder, and looks at all that it finds there but for folders that are hidden.
        unfinished = path.parent / _UNFINISHED / path.name
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
