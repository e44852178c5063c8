"""The containers of the batch pipeline: one module says what each of them is, `server.py` makes it."""

from pathlib import Path
from typing import Final

FILES: Final = Path(__file__).parent / "files"
"""Files that are put into containers."""
SHOP_FOLDER: Final = "/etc/shop"
"""Where a container has its own passwords and scripts, as files."""


def text_of(name: str) -> str:
    """Read one of `FILES`."""
    return (FILES / name).read_text()
