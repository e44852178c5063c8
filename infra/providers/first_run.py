"""Waits for the first run of the job in a container, shows what it does, and fails with it at once.

Pulumi shows what is written to stderr.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider

_NO_CONNECTION = 255
"""Exit code of SSH that did not get through, or lost its way."""
_PAUSE_SECONDS = 10
_LINES = 30
_SHOW_EACH_SECONDS = 30


class Provider(ResourceProvider):
    """Inputs: shell, command, container, container_id, patience_seconds."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait; raises RuntimeError with the last lines of the log where the run failed or takes too long."""
        end = time.monotonic() + props["patience_seconds"]
        while True:
            code, log = _follow(props, end)
            if code == 0:
                return CreateResult(props["container_id"], props)
            if code != _NO_CONNECTION or time.monotonic() > end:
                minutes = props["patience_seconds"] / 60
                what = f"did not end in {minutes:.0f} minutes" if code is None else "failed"
                raise RuntimeError(f"the first run in {props['container']} {what}. The last lines of its log:\n{log}")
            time.sleep(_PAUSE_SECONDS)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Say what makes it wait anew: another container."""
        replaces = ["container_id"] if olds.get("container_id") != news.get("container_id") else []
        return DiffResult(changes=bool(replaces), replaces=replaces)


def _follow(props: dict[str, Any], end: float) -> tuple[int | None, str]:
    """Run the command until it or the time is over: its exit code, None where it was stopped, and its last lines."""
    command = [*props["shell"], props["command"]]
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        try:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise RuntimeError(f"{command[0]} is missing on this computer; install it and run this again") from error
        lines: deque[str] = deque(maxlen=_LINES)
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        started = shown = time.monotonic()
        try:
            while process.poll() is None and (now := time.monotonic()) < end:
                if now - shown > _SHOW_EACH_SECONDS:
                    shown = now
                    _show(f"{props['container']}: {now - started:.0f} s: {lines[-1] if lines else 'no news'}")
                time.sleep(0.2)
            code = process.poll()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
        reader.join()
        errors.seek(0)
        return code, "\n".join(errors.read().splitlines()[-_LINES:] if code else lines)


def _read(process: "subprocess.Popen[str]", lines: "deque[str]") -> None:
    for line in process.stdout or ():
        text = line.rstrip()
        if text and (not lines or lines[-1] != text):
            lines.append(text)


def _show(text: str) -> None:
    """Write a line for Pulumi; raises OSError where it was killed, so that nothing goes on for nobody."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
