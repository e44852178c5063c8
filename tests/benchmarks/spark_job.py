"""A module run as a process of its own, with the time and the memory that it and its children take."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    cpu_seconds: float
    """Of it and its children, whatever else the machine has to do."""
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
    watched = _Watched()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            watched.look(process.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, said = process.communicate()
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    if process.returncode:
        raise AssertionError(f"{arguments[0]} ended with {process.returncode}: {said[-2000:]}")
    return Measured(seconds, sum(watched.cpu.values()), watched.peak, printed)


@dataclass
class _Watched:
    """What was seen of a process and its children so far."""

    peak: int = 0
    cpu: dict[int, float] = field(default_factory=dict)
    """Seconds by process id."""

    def look(self, pid: int) -> None:
        total = 0
        try:
            root = psutil.Process(pid)
            processes = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            try:
                total += process.memory_info().rss
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            self.cpu[process.pid] = times.user + times.system
        self.peak = max(self.peak, total)
