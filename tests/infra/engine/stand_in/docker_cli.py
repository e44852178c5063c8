"""A stand-in for Docker's command line over the stand-in's cloud, as far as the project calls it.

    docker inspect --type container --format FORMAT NAME        docker network inspect --format FORMAT NAME
    docker rm --force NAME                                      docker network rm NAME
    docker exec NAME COMMAND...     docker logs --tail N NAME     docker restart -t SECONDS NAME

A job's first run ends well, unless a fault of the action `run` lets it hang, or fail a moment later. One that has
failed stays so until a restart has it run anew.
"""

import os
import re
import sys
from pathlib import Path
from typing import Final

from tests.infra.engine.stand_in.cloud import Cloud, Resource
from tests.infra.engine.stand_in.containers import CONTAINER, NETWORK, RUN

LAST_LINES: Final = ("the store mysql is full", "the run failed (exit code 8)")
"""The end of a failed run's log."""
_LABEL: Final = re.compile(r'index \S*Labels "([^"]+)"')
_EXIT_CODES: Final = {"fail": 1, "hang": 75}


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code."""
    cloud = Cloud(Path(os.environ["STAND_IN_CLOUD"]), "docker")
    kind = NETWORK if arguments[0] == "network" else CONTAINER
    action, *rest = arguments[1:] if kind == NETWORK else arguments
    name = rest[0] if action == "exec" else rest[-1]
    found = _find(cloud, kind, name)
    if not found:
        sys.stderr.write(f"Error response from daemon: No such object: {name}\n")
        return 1
    match action:
        case "inspect":
            label = _LABEL.search(" ".join(rest))
            labels = {one["label"]: one["value"] for one in found.inputs.get("labels", ())}
            sys.stdout.write(labels.get(label[1], "") + "\n" if label else found.id + "\n")
        case "rm":
            with cloud.changing() as resources:
                del resources[f"{kind} {found.id}"]
            cloud.note("remove", kind, name)
        case "exec":
            outcome = cloud.fault(RUN, kind, name)
            with cloud.changing() as resources:
                run = resources[f"{kind} {found.id}"].properties
                told = run.get("firstRun", "hang" if outcome else "")
                run["firstRun"] = outcome if told == "hang" else told
            return _EXIT_CODES.get(told, 0)
        case "logs":
            sys.stderr.write("".join(f"{line}\n" for line in LAST_LINES))
        case "restart":
            with cloud.changing() as resources:
                resources[f"{kind} {found.id}"].properties.pop("firstRun", None)
            cloud.note("restart", kind, name)
        case _:
            sys.stderr.write(f"the stand-in knows no {action}\n")
            return 125
    return 0


def _find(cloud: Cloud, kind: str, name: str) -> Resource | None:
    return next((one for one in cloud.resources() if one.type == kind and one.inputs.get("name") == name), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
