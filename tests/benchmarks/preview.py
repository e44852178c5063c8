"""A preview of the environment dev by the real engine with stand-ins for the providers, once everything is imported.

Limit: the preview of a program that declares nothing, which is what the CLI and the engine take by themselves.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from pulumi import automation
from pulumi.automation import OpType

from app.local.pulumi_cli import get_pulumi
from tests.benchmarks.machine import described
from tests.infra.engine.workbench import PLACE, set_up

TIMES: Final = 3


def run(times: int = TIMES) -> dict[str, Any]:
    """Seconds of a preview of dev (`ours`) and of nothing (`limit`), each the middle one of some."""
    pulumi = get_pulumi()
    with tempfile.TemporaryDirectory() as folder:
        bench = set_up(Path(folder), pulumi)
        program, nothing = bench.stack("dev", PLACE), bench.stack("nothing", PLACE, lambda: None)
        # The first one imports the SDKs, and learns what they say of their resources.
        resources = program.preview().change_summary[OpType.CREATE]
        ours, limit = (statistics.median(_seconds(stack) for _ in range(times)) for stack in (program, nothing))
    return {
        "name": "preview",
        "unit": "s after import",
        "ours": round(ours, 1),
        "naive": None,
        "limit": round(limit, 1),
        "ratio": None,
        "run": described("pulumi", "pulumi-gcp", resources=resources, times=times, cli=pulumi.version),
    }


def _seconds(stack: automation.Stack) -> float:
    start = time.perf_counter()
    stack.preview()
    return time.perf_counter() - start
