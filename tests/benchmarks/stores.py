"""Each store beside one insert at a time and beside the store's own tool: a result for each."""

import importlib
from typing import Any, Final

STORES: Final = ("redis", "mysql", "cassandra")


def run(rows: int | None = None) -> list[dict[str, Any]]:
    """The results of `stores_NAME.run`."""
    found = []
    for name in STORES:
        measure = importlib.import_module(f"tests.benchmarks.stores_{name}").run
        found.append(measure(rows) if rows else measure())
    return found
