"""The command line of the benchmarks: each runs ours, the usual way and the limit in one run."""

import argparse
import importlib
import json
from collections.abc import Sequence
from typing import Final

BENCHMARKS: Final = {
    "generator": "rows of a believable store",
    "codec": "raw rows to Arrow events, with all checks and the event id",
    "replayer": "a file to Pub/Sub messages",
    "stream": "messages in Pub/Sub to rows, minute counts and sessions in BigQuery",
    "batch": "a file to Parquet and the answers to all questions, with Spark",
    "scale": "the batch job over 1, 5 and 20 million rows: seconds and memory",
    "load": "the batch job from a file to MySQL, Redis and Cassandra",
    "stores": "a run's events and answers into each store, beside the store's own loader",
    "tableau": "an answer of a million rows to a Tableau extract",
    "preview": "seconds of `pulumi preview` of the environment dev",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named; one JSON object a line with --json."""
    listed = "\n".join(f"  {name:10} {what}" for name, what in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=f"Measure parts of the project:\n{listed}",
        epilog="example: scripts/bench codec stream --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", choices=BENCHMARKS, metavar="NAME", help="what to measure")
    parser.add_argument("--rows", type=int, help="rows of our side, in place of the benchmark's own number")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args(arguments)
    for name in given.names:
        measure = importlib.import_module(f"tests.benchmarks.{name}").run
        result = measure(given.rows) if given.rows else measure()
        for line in result if isinstance(result, list) else [result]:
            print(json.dumps(line) if given.json else _in_words(line), flush=True)
    return 0


def _in_words(result: dict[str, object]) -> str:
    figures = (f"{key} {result[key]:,}" for key in ("ours", "naive", "limit") if result.get(key) is not None)
    ratio = f"; ours to naive {result['ratio']}" if result["ratio"] is not None else ""
    return f"{result['name']}: {', '.join(figures)} {result['unit']}{ratio}"
