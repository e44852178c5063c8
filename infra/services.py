"""The services of Google Cloud that the project needs, switched on."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects

from infra.place import Place


@dataclass(frozen=True)
class ServicesArgs:
    """Services by the first part of their names, such as `pubsub`."""

    place: Place
    names: tuple[str, ...]


class Services(pulumi.ComponentResource):
    """Enabled services. They stay enabled when the environment is removed, as others in the project may use them."""

    def __init__(self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:infra:Services", name, None, opts)
        for service in args.names:
            projects.Service(
                f"{name}-{service}",
                project=args.place.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
