"""The workflows and actions of the repository, read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".github"
WORKFLOWS: dict[str, dict[Any, Any]] = {
    path.name: yaml.safe_load(path.read_text()) for path in sorted((FOLDER / "workflows").glob("*.yml"))
}
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "actions" / "environment" / "action.yml").read_text())


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each job with its name, such as `deploy.yml: dev`."""
    for file, workflow in WORKFLOWS.items():
        for name, job in workflow["jobs"].items():
            yield f"{file}: {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each step with the name of its job."""
    for name, job in jobs():
        for step in job.get("steps", ()):
            yield name, step
    for step in ACTION["runs"]["steps"]:
        yield "action.yml", step


def triggers(workflow: dict[Any, Any]) -> dict[str, Any]:
    """What starts a workflow; YAML takes the word `on` for true."""
    found: dict[str, Any] = workflow[True]
    return found
