"""A command that is run once on a machine: what it prints is known afterwards, and it runs anew on another machine."""

from dataclasses import dataclass

import pulumi
from pulumi.dynamic import Resource

from infra.place import Place
from infra.providers import FromSource


@dataclass(frozen=True)
class MachineCommandArgs:
    """What to run where. It is tried again until it succeeds, for `patience_seconds` at most."""

    place: Place
    instance: pulumi.Input[str]
    instance_id: pulumi.Input[str]
    command: pulumi.Input[str]
    patience_seconds: int = 600


class MachineCommand(Resource, module="shop", name="MachineCommand"):
    """A command that has succeeded."""

    stdout: pulumi.Output[str]

    def __init__(self, name: str, args: MachineCommandArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {
            "project": args.place.project,
            "zone": args.place.zone,
            "instance": args.instance,
            "instance_id": args.instance_id,
            "command": args.command,
            "patience_seconds": args.patience_seconds,
            "stdout": None,
        }
        super().__init__(FromSource("machine_command"), name, inputs, opts)
