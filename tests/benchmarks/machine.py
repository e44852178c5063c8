"""What a benchmark says of the machine and the versions it ran with."""

import os
import platform
from importlib.metadata import version
from typing import Any

from app.events.generator import Settings, generate

EVENTS_A_DAY = 1_370_000
"""Events of a day of October 2019, so that a benchmark's hours are as full as the real ones."""


def described(*packages: str, **facts: Any) -> dict[str, Any]:
    """Facts of a run, with the cores and versions."""
    versions = {"python": platform.python_version()} | {name: version(name) for name in packages}
    return {**facts, "cores": os.cpu_count(), "versions": versions}


def rows(count: int) -> list[bytes]:
    """Generated rows as dense as the real ones, without ends of line."""
    days = max(1, round(count / EVENTS_A_DAY))
    data = b"".join(generate(Settings(events=count, seed=7, days=days, header=False)))
    return data.splitlines()
