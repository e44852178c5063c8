"""The first run of the batch job in a container, which `pulumi up` waits for, and fails with as soon as it has failed.

Docker's health check cannot say so: it counts no failure within the start period, and who waits for a container to be
healthy does not learn that it never will be.
"""

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi.dynamic import Resource

from app.batch.status import FIRST_RUN, PENDING
from infra.providers import FromSource
from infra.shell import Shell

_LOG_LINES: Final = 30
_PAUSE_SECONDS: Final = 5
# Who runs `up` again after a failed run has mended what was wrong with it, so that the job is started again. What a run
# does goes to stdout, why it failed to stderr.
_COMMAND: Final = """\
ask() {{ {docker} exec {container} python -m app.batch.status {first_run}; }}
ask
[ $? -ne 1 ] || {docker} restart -t {stop_seconds} {container} > /dev/null
while ask; code=$?; [ $code -eq {pending} ]; do {docker} logs --tail 1 {container} 2>&1; sleep {pause}; done
[ $code -eq 0 ] || {docker} logs --tail {lines} {container} 1>&2
exit $code
"""


@dataclass(frozen=True)
class FirstRunArgs:
    """Whose run is waited for, for how long, and where Docker's CLI reaches the container."""

    container: str
    container_id: pulumi.Input[str]
    shell: Shell
    patience_seconds: int
    stop_seconds: int
    """How long the container has to end by itself."""


class FirstRun(Resource, module="shop", name="FirstRun"):
    """A first run that has ended well; another container's is waited for again."""

    def __init__(self, name: str, args: FirstRunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        command = _COMMAND.format(
            docker=args.shell.docker,
            container=args.container,
            first_run=FIRST_RUN,
            pending=PENDING,
            stop_seconds=args.stop_seconds,
            pause=_PAUSE_SECONDS,
            lines=_LOG_LINES,
        )
        inputs = {
            "shell": list(args.shell.words),
            "command": command,
            "container": args.container,
            "container_id": args.container_id,
            "patience_seconds": args.patience_seconds,
        }
        super().__init__(FromSource("first_run"), name, inputs, opts)
