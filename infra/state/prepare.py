"""What `scripts/pulumi` does before Pulumi's CLI does what it was asked to."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.state.backend import LOCAL, PASSPHRASES, URL, backend_of, choose, folder_of, passphrase_file
from infra.state.recovery import Pulumi, clear_files, clear_pending, is_interrupted

_OPERATIONS: Final = ("up", "update", "preview", "pre", "refresh", "destroy", "down", "dn")
_NEEDS_STATE: Final = (*_OPERATIONS, "stack", "config", "cancel", "import", "state")
_LEAVING: Final = ("destroy", "down", "dn")
_CHANGING: Final = ("up", "update", *_LEAVING)

_log = logging.getLogger(__name__)


def prepare(
    program: Path, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    """The arguments and variables to run the CLI with in a folder; what is done or chosen on the way is said.

    Raises:
        NotChosen: the user has to say something first.
    """
    command = next((word for word in arguments if word in _NEEDS_STATE), "")
    if not command or {"-h", "--help"} & set(arguments):
        return list(arguments), dict(environment)
    project = next((one for one in (folder, *folder.parents) if (one / "Pulumi.yaml").is_file()), folder)
    known = dict(environment)

    def pulumi(*words: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603
            [program, *words], env=known, cwd=folder, input=given, capture_output=True, text=True, check=False
        )

    stack = _stack(arguments) or environment.get("PULUMI_STACK")
    if not stack and backend_of(project, known):
        stack = pulumi("stack", "--show-name", "--non-interactive").stdout.strip() or None
    is_new = not passphrase_file(environment).exists()
    # An organization may stand before it.
    environment_name = stack.rsplit("/", 1)[-1] if stack else None
    asks = sys.stdin.isatty() or any(word.startswith("--secrets-provider") for word in arguments)
    known |= (chosen := choose(environment_name, project, environment, asks=asks))
    if URL in chosen and command in _OPERATIONS:
        _log.info("Nobody is logged in, so that the state of the stack %s is kept in %s", stack, folder_of(chosen[URL]))
    if PASSPHRASES[1] in chosen and is_new:
        _log.info("The passphrase of its secrets was made, and is kept in %s", chosen[PASSPHRASES[1]])
    state = folder_of(backend_of(project, known))
    for done in clear_files(state) if state else ():
        _log.info("%s", done)
    return (_on_stack(pulumi, command, stack, arguments) if stack and command in _OPERATIONS else [*arguments]), known


def _on_stack(pulumi: Pulumi, command: str, stack: str, arguments: Sequence[str]) -> list[str]:
    """Make the stack of this computer where it is missing, and settle what an interrupted run has left in any."""
    found = pulumi("stack", "export", "--stack", stack)
    if found.returncode:
        if "no stack named" in found.stderr and command not in _LEAVING:
            _make(pulumi, stack)
        # Else the CLI says itself what is wrong.
        return [*arguments]
    if command not in (*_CHANGING, "refresh"):
        return [*arguments]  # who may only look may not write
    exported = json.loads(found.stdout)
    interrupted = is_interrupted(exported)
    for done in clear_pending(pulumi, stack, exported, leaving=command in _LEAVING):
        _log.info("%s", done)
    if interrupted and command in _CHANGING and not any(word.startswith(("--refresh", "-r")) for word in arguments):
        return [*arguments, "--refresh"]
    return [*arguments]


def _make(pulumi: Pulumi, stack: str) -> None:
    if stack.rsplit("/", 1)[-1] != LOCAL:
        _log.info(
            "There is no stack %(stack)s yet. Make it, and say where it is to be:\n"
            "    scripts/pulumi stack init %(stack)s\n"
            "    scripts/pulumi config set gcp:project MY-PROJECT --stack %(stack)s\n"
            "    scripts/pulumi config set gcp:region europe-west1 --stack %(stack)s",
            {"stack": stack},
        )
        return
    made = pulumi("stack", "init", stack, "--no-select")
    _log.info("%s", f"Made the stack {stack}" if not made.returncode else made.stderr.strip())


def _stack(arguments: Sequence[str]) -> str | None:
    """The stack that is named on the command line."""
    for index, word in enumerate(arguments):
        if word in ("--stack", "-s") and index + 1 < len(arguments):
            return arguments[index + 1]
        if word.startswith(("--stack=", "-s=")):
            return word.partition("=")[2]
    if list(arguments[:2]) in (["stack", "init"], ["stack", "select"], ["stack", "rm"]):
        return next((word for word in arguments[2:] if not word.startswith("-")), None)
    return None
