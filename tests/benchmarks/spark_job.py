"""A module run as a process of its own, with the time and the memory that it and its children take."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from app.events.generator import Settings, generate
from tests.benchmarks.machine import EVENTS_A_DAY

_ROOT: Final = Path(__file__).resolve().parents[2]
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Measured:
    """What a process took and printed."""

    seconds: float
    peak_bytes: int
    """The most memory that it and its children had at once; what they share counts once for each."""
    printed: str


def write_events(path: Path, rows: int) -> Path:
    """Generate events as dense as the real ones."""
    days = max(1, round(rows / EVENTS_A_DAY))
    with path.open("wb") as file:
        file.writelines(generate(Settings(events=rows, seed=7, days=days)))
    return path


def measure_job(arguments: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run `python -m arguments` to its end."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=_ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(_POLL_SECONDS):
            peak = max(peak, _resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, said = process.communicate()
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    if process.returncode:
        raise AssertionError(f"{arguments[0]} ended with {process.returncode}: {said[-2000:]}")
    return Measured(seconds, peak, printed)


def _resident(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        pass
    return total
