"""What an interrupted `up` has left on a Docker daemon, unknown to Pulumi: it has the name of what is made next.

A hook runs just before Pulumi makes a container or a network. What has its name then is in no state. It is removed if
it bears the label of this very stack; else Docker says that the name is taken.
"""

import asyncio
import subprocess
from typing import Final

import pulumi

from infra.shell import Shell

STACK_LABEL: Final = "stack"
"""The label by which a container or network is known as this stack's, and not another one's of the same names."""
_NETWORK: Final = "docker:index/network:Network"
_TIMEOUT_SECONDS: Final = 300
_SHOWN: Final = 1_000


def removal(docker: str, kind: str, name: str, stack: str) -> str:
    """A shell's command that removes a container or network of the daemon if it is the stack's; `kind` is its type."""
    if kind == _NETWORK:
        look, labels, remove = f"{docker} network inspect", ".Labels", f"{docker} network rm"
    else:
        look, labels, remove = f"{docker} inspect --type container", ".Config.Labels", f"{docker} rm --force"
    owner = f"""{look} --format '{{{{ index {labels} "{STACK_LABEL}" }}}}' {name} 2> /dev/null"""
    return f'[ "$({owner})" != {stack} ] || {remove} {name} > /dev/null'


def leftovers_hook(name: str, shell: Shell, stack: pulumi.Output[str]) -> pulumi.ResourceHook:
    """A hook for `before_create` of the stack's containers and networks."""

    async def remove(args: pulumi.ResourceHookArgs) -> None:
        words, owner = await pulumi.Output.all(pulumi.Output.all(*shell.words), stack).future() or ([], "")
        command = removal(shell.docker, args.type, (args.new_inputs or {})["name"], owner)
        await asyncio.to_thread(_run, [*words, command])

    return pulumi.ResourceHook(name, remove)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"what is left of an earlier run could not be removed: {done.stderr[-_SHOWN:].strip()}")
