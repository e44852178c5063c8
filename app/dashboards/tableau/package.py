"""A packaged workbook (`.twbx`): a zip of the workbook and its extracts, as Tableau lays it out.

Shop.twb
Data/Extracts/daily_activity.hyper
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.dashboards.tableau.datasource import EXTRACT_FOLDER

_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time of a zip; the real one would make every build another."""


def write_package(path: Path, workbook: bytes, extracts: Mapping[str, Path]) -> None:
    """Write the package; the workbook in it has the package's name. `extracts` are files by question."""
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(_entry(f"{path.stem}.twb"), workbook)
        for name, file in sorted(extracts.items()):
            with file.open("rb") as source, package.open(_entry(f"{EXTRACT_FOLDER}/{name}.hyper", file), "w") as target:
                while block := source.read(1 << 20):
                    target.write(block)


def _entry(name: str, file: Path | None = None) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 0  # as on Windows, where most of them are made; else it depends on this machine
    if file is not None:
        entry.file_size = file.stat().st_size
    return entry
