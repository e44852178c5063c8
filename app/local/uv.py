"""Find uv, the installer of Python packages, for what one machine installs beside its own environment."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

_CACHE = Path(__file__).parents[2] / ".cache"


class UvMissing(RuntimeError):  # noqa: N818 - what is missing, not what went wrong
    """There is no uv on this machine; the message says how to get it."""


def find_uv() -> str:
    """The program uv: of the running environment, of the variable UV, of the PATH, of its usual places.

    The last of these is `.cache/uv`, where the scripts put it if there is none. Raises UvMissing.
    """
    for place in _places():
        if place.is_file() and os.access(place, os.X_OK):
            return str(place)
    raise UvMissing("The program uv is missing. Install it: python3 -m pip install uv")


def _places() -> Iterator[Path]:
    yield Path(sys.prefix) / "bin" / "uv"
    for named in (os.environ.get("UV"), shutil.which("uv")):
        if named:
            yield Path(named)
    # Path's own way to the home folder raises where a user has none, as in some containers.
    yield Path(os.path.expanduser("~/.local/bin/uv"))  # noqa: PTH111
    yield from sorted((_CACHE / "uv").glob("**/bin/uv"))
