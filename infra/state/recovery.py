"""Puts right what a CLI that was killed or interrupted has left in a stack's state, so that the next one completes it.

- The lock of a process of this computer that is no more.
- The half of a file that says what another file is, without which no file of the state is read.
- Operations that are pending for ever: what was being made has perhaps been made. A container or network is looked for
  when it is made the next time; of anything else the user is told.
- Containers that were made and not started.
"""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from infra.containers.leftovers import STACK_LABEL, removal
from infra.shell import HERE

_CONTAINER: Final = "docker:index/container:Container"
_NAMED: Final = (_CONTAINER, "docker:index/network:Network")
_MADE_AGAIN: Final = ("docker:", "docker-build:", "pulumi-python:")
"""What is made over what there is, or in its place."""
Pulumi = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs the CLI with arguments, and text for its stdin as `given`."""


def clear_files(folder: Path) -> list[str]:
    """Remove dead locks and cut files from a state in files; what was done, in words."""
    done = []
    for file in folder.rglob("*.attrs"):
        if not _is_json(file):
            file.unlink(missing_ok=True)
            done.append(f"removed {file}, which was cut short")
    for file in folder.glob("locks/**/*.json"):
        with suppress(OSError, ValueError, KeyError):
            lock = json.loads(file.read_text())
            if lock["hostname"] == socket.gethostname() and not _is_running(int(lock["pid"])):
                file.unlink(missing_ok=True)
                file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
                done.append(f"removed the lock of process {lock['pid']}, which runs no more")
    return done


def clear_pending(pulumi: Pulumi, stack: str, exported: Mapping[str, Any], *, leaving: bool) -> list[str]:
    """Settle what is pending in a stack's state, as exported; what was done, in words, or nothing.

    With `leaving` nothing will be made, so that containers and networks that were begun are removed here.
    """
    deployment = exported.get("deployment") or {}
    pending = deployment.get("pending_operations") or []
    begun = [one["resource"] for one in pending if one["type"] == "creating"]
    broken = [one for one in deployment.get("resources") or [] if one["type"] == _CONTAINER and one.get("initErrors")]
    if not pending and not broken:
        return []
    deployment["pending_operations"] = [one for one in pending if one["type"] != "creating"]
    for resource in broken:
        resource["taint"] = True
    # Refused while somebody else changes the stack, whose operations these are.
    if pulumi("stack", "import", "--stack", stack, given=json.dumps(exported)).returncode:
        return []
    if leaving:
        for resource in begun:
            _remove(resource)
    done = ["an earlier run was interrupted: what there is, is looked at first"] if pending else []
    if not leaving:
        done += [f"{_name(resource)} was begun, and is made again" for resource in (*begun, *broken)]
    for resource in begun:
        if not resource["type"].startswith(_MADE_AGAIN):
            done.append(
                f"{_name(resource)} has perhaps been made. Where it is said to exist already, take it over with "
                "`scripts/pulumi import`, or remove it"
            )
    return done


def is_interrupted(exported: Mapping[str, Any]) -> bool:
    """Whether operations are pending, so that the state may say what is not so."""
    return bool((exported.get("deployment") or {}).get("pending_operations"))


def _remove(resource: Mapping[str, Any]) -> None:
    """Remove what was begun on this computer; what is on a machine goes with it."""
    inputs = resource.get("inputs") or {}
    labels = {one.get("label"): one.get("value") for one in inputs.get("labels") or ()}
    here = "::pulumi:providers:docker::default" in (resource.get("provider") or "")
    if resource["type"] in _NAMED and here and labels.get(STACK_LABEL):
        command = removal(HERE.docker, resource["type"], inputs["name"], labels[STACK_LABEL])
        subprocess.run([*map(str, HERE.words), command], check=False)  # noqa: S603 - the project's own


def _name(resource: Mapping[str, Any]) -> str:
    return str(resource["urn"]).rsplit("::", 1)[-1]


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
