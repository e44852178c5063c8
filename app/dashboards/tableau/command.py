"""The command for Tableau: `scripts/tableau build` and `scripts/tableau publish`."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from app.dashboards.tableau.answers import AnswersError, from_results, from_warehouse
from app.dashboards.tableau.build import LIVE, PACKAGE, SOURCES, build_workbook
from app.dashboards.tableau.errors import ExtractError
from app.dashboards.tableau.publish import PublishError, Target, publish
from app.dashboards.tableau.warehouse import PROJECT_TO_TYPE, Warehouse, WarehouseError
from app.output_folder import NotOursError

DONE, FAILED, INTERRUPTED = 0, 1, 130

_EPILOG: Final = """
examples:
  scripts/tableau build --results build/demo --out build/tableau
  scripts/tableau build --dataset my-project.shop --out build/tableau
  scripts/tableau publish "build/tableau/Shop.twbx" --project Shop --overwrite

Exit code: 0 done, 1 failed, 130 interrupted.
"""
_BUILD: Final = f"""
Writes into DIR:
  {PACKAGE:16} the workbook with its data: opens without a network
  {LIVE:16} the same on the live warehouse
  {SOURCES}/     each question's live source

examples:
  scripts/tableau build --results build/demo --out build/tableau
  scripts/tableau build --results build/demo --live my-project.shop --out build/tableau
  scripts/tableau build --dataset my-project.shop --sign-in service-account --out build/tableau
"""
_PUBLISH: Final = """
The environment says where and as whom:
  TABLEAU_SERVER        https://10ax.online.tableau.com, or your server's address
  TABLEAU_SITE          the site's name in its address; empty for a server's default site
  TABLEAU_TOKEN_NAME    a personal access token from your account settings
  TABLEAU_TOKEN_SECRET  its secret

example:
  scripts/tableau publish build/tableau/Shop.twbx --project Shop --overwrite
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="tableau: %(message)s")
    try:
        return _build(options) if options.command == "build" else _publish(options)
    except (AnswersError, ExtractError, NotOursError, WarehouseError, PublishError, OSError) as error:
        sys.stderr.write(f"tableau: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("tableau: interrupted\n")
        return INTERRUPTED


def _build(options: argparse.Namespace) -> int:
    console = Console(stderr=True)
    named = options.dataset or options.live
    warehouse = (
        Warehouse.named(named, billing_project=options.billing_project, sign_in=options.sign_in)
        if named
        else Warehouse(billing_project=options.billing_project, sign_in=options.sign_in)
    )
    with console.status("reading the answers"):
        answers = from_warehouse(warehouse) if options.dataset else from_results(options.results)
    with console.status("building the workbook"):
        package = build_workbook(answers, options.out, warehouse=warehouse)
    rows = {name: len(table) for name, table in answers.tables.items()}
    if options.json:
        sys.stdout.write(json.dumps({"workbook": str(package), "rows": rows}) + "\n")
        return DONE
    sys.stdout.write(f"{package}  {len(rows)} questions, {sum(rows.values()):,} rows\n")
    if warehouse.project == PROJECT_TO_TYPE:
        sys.stdout.write(
            "The live sources need your project's id: name it with --live PROJECT.DATASET, or in the files in place of "
            f"{PROJECT_TO_TYPE}.\n"
        )
    return DONE


def _publish(options: argparse.Namespace) -> int:
    target = Target.read(os.environ, options.project, options.server, options.site)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        total = options.file.stat().st_size if options.file.is_file() else None
        task = shown.add_task("publishing", total=total)
        done = publish(
            options.file,
            target,
            name=options.name,
            overwrite=options.overwrite,
            progress=lambda size: shown.advance(task, size),
        )
    made = f"made the project {target.project!r}; " if done.project_created else ""
    sys.stdout.write(json.dumps(asdict(done)) + "\n" if options.json else f"{made}{done.url}\n")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tableau",
        description="Make the shop's Tableau workbook, and publish it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build",
        help="make the workbook of a run's results or of a BigQuery dataset",
        description="Make the workbook of the answers to all questions.",
        epilog=_BUILD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = build.add_mutually_exclusive_group(required=True)
    source.add_argument("--results", type=Path, metavar="DIR", help="what scripts/demo left")
    source.add_argument("--dataset", metavar="PROJECT.DATASET", help="the dataset that has a view for each question")
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    build.add_argument("--live", metavar="PROJECT.DATASET", help="what the live sources are bound to, with --results")
    build.add_argument("--billing-project", default="", metavar="PROJECT", help="who pays for queries, if another")
    build.add_argument(
        "--sign-in", choices=("oauth", "service-account"), default="oauth", help="how Tableau signs in to BigQuery"
    )
    build.add_argument("--json", action="store_true", help="print one JSON object")
    send = commands.add_parser(
        "publish",
        help="put a workbook on Tableau Cloud or Server",
        description="Put a workbook on Tableau Cloud or Tableau Server and say its address.",
        epilog=_PUBLISH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    send.add_argument("file", type=Path, metavar="FILE", help="the workbook (.twbx or .twb)")
    send.add_argument("--project", default="Shop", help="the project, made if it is not there (default: Shop)")
    send.add_argument("--name", help="the workbook's name on the server (default: the file's)")
    send.add_argument("--overwrite", action="store_true", help="replace a workbook of that name")
    send.add_argument("--server", metavar="URL", help="in place of TABLEAU_SERVER")
    send.add_argument("--site", metavar="NAME", help="in place of TABLEAU_SITE")
    send.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
