"""Where the commands of a machine's Docker daemon are run: on this computer, or by SSH on the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi


@dataclass(frozen=True)
class Shell:
    """What runs a command there."""

    words: Sequence[pulumi.Input[str]]
    """A program and its arguments; the last is to be the command, one text for a shell."""
    docker: str
    """How the command calls Docker's CLI."""


HERE: Final = Shell(("sh", "-c"), "docker")
"""This computer."""
